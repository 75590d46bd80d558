-- Takes what is due of InfluxDB's halves; no other gateway gets that for a time. KEYS: when each is due.
-- Answers with each session's id, its half, and its record, which is empty if the session has ended.
local lease, life, most = tonumber(ARGV[3]), ARGV[4], ARGV[5]
local now = time()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now), 'LIMIT', 0, most)
-- First: a Redis that is full refuses a script's first write if that needs memory.
if #due > 0 then redis.call('PEXPIRE', KEYS[1], life) end
local taken = {}
for _, id in ipairs(due) do
  local half, record = read(half_of(id)), read(key_of(id))
  if half then
    redis.call('ZADD', KEYS[1], whole(now + lease), id)
    if not record then redis.call('HSET', half_of(id), 'over', 1) end
    taken[#taken + 1] = { id, half.sealed, record and flatten(record) or {} }
  else
    redis.call('ZREM', KEYS[1], id)
  end
  if half and record then
    redis.call('PEXPIRE', half_of(id), life)
    if half.name ~= record.name then redis.call('HSET', half_of(id), 'name', record.name) end
  end
end
return taken
