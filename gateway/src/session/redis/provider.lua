-- Ends sessions that a sign-in provider calls so: `all`, or those `without` a session there. KEYS: the index of those.
-- Answers with pairs of an id and a record.
local found, how = {}, ARGV[3]
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local record = read(key_of(id))
  if record and record.v == '1' and how == 'without' and record.sid then
    -- It is for whoever names that.
  elseif record and record.v == '1' then
    remove(id, record.user, record)
    found[#found + 1] = { id, flatten(record) }
  else
    -- It is gone, or of a version of which this gateway knows the key only.
    redis.call('DEL', key_of(id))
    redis.call('ZREM', KEYS[1], id)
  end
end
return found
