-- Ends a session. KEYS: the record. Answers with the record, false if there is none that lives.
local id, idle, lifetime = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local record = read(key_of(id))
if not record then return false end
if record.v ~= '1' then
  redis.call('DEL', key_of(id))
  return false
end
if expiry(record, idle, lifetime) <= time() then return false end
remove(id, record.user, record)
return flatten(record)
