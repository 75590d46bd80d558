-- A page of sessions that live. KEYS: the index, of all or of a user. Answers with the number of entries
-- that were looked at, and with pairs of an id and a record.
local index = KEYS[1]
local from = '(' .. whole(time())
local entries = redis.call('ZRANGEBYSCORE', index, from, '+inf', 'LIMIT', ARGV[3], ARGV[4])
local found = {}
for _, entry in ipairs(entries) do
  local id = string.sub(entry, 1, 64)
  local record = read(key_of(id))
  if record and record.v == '1' then
    found[#found + 1] = { id, flatten(record) }
  end
end
return { #entries, found }
