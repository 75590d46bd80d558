-- Some of the sessions that live, in the order in which they end. KEYS: the index of all. ARGV: from which time on, how
-- many that end just then to leave out, how many to look at. Answers with how many were looked at, where the list goes
-- on, and with pairs of an id and a record.
local time, which, most = math.max(tonumber(ARGV[3]), time() + 1), tonumber(ARGV[4]), ARGV[5]
if time > tonumber(ARGV[3]) then which = 0 end
local entries = redis.call('ZRANGEBYSCORE', KEYS[1], whole(time), '+inf', 'WITHSCORES', 'LIMIT', which, most)
local found = {}
for i = 1, #entries, 2 do
  local ends = tonumber(entries[i + 1])
  if ends > time then time, which = ends, 0 end
  which = which + 1
  local id = string.sub(entries[i], 1, 64)
  local record = read(key_of(id))
  if record and record.v == '1' then
    found[#found + 1] = { id, flatten(record) }
  end
end
return { #entries / 2, whole(time), which, found }
