-- Has a session be of another user. KEYS: the record.
local id, user, idle, lifetime = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local key = key_of(id)
local record = read(key)
if not record then return false end
if record.user ~= user then
  redis.call('ZREM', everybody, id .. ':' .. record.user)
  redis.call('ZREM', index_of(record.user), id)
end
redis.call('HSET', key, 'user', user, 'name', ARGV[7], 'status', ARGV[8], 'access', ARGV[9])
expire(id, user, record, expiry(record, idle, lifetime), time())
watch()
return true
