-- Has sessions of a user be as good with another password as with the one before. KEYS: the user's index.
--
-- One session, or all that were opened with the one before: also those that another gateway opens while it does
-- not know the other one yet, so that is kept for a day.
local user, before, after, only = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local key = key_of(id)
  local password = redis.call('HGET', key, 'password')
  if password and (id == only or only == '' and password == before) then
    redis.call('HSET', key, 'password', after)
  end
end
if only == '' then redis.call('SET', same_as(after), before, 'PX', 86400000) end
return true
