-- The sessions of a user that live. KEYS: the user's index. Answers with pairs of an id and a record.
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], whole(time() + 1), '+inf')) do
  local record = read(key_of(id))
  if record and record.v == '1' then
    found[#found + 1] = { id, flatten(record) }
  end
end
return found
