-- Has sessions of a user be as good with another password as with the one before: one session, or all that were
-- opened with the one before. KEYS: the user's index. Answers with the ids of those.
local before, after, only = ARGV[3], ARGV[4], ARGV[5]
local written = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local key = key_of(id)
  local password = redis.call('HGET', key, 'password')
  if password and (id == only or only == '' and password == before) then
    redis.call('HSET', key, 'password', after)
    written[#written + 1] = id
  end
end
return written
