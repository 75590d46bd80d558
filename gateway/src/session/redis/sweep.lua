-- Strikes sessions that have idled out from the index of all. KEYS: that index. Answers with each
-- session and its user; what one gateway has struck, no other is told.
local now = whole(time())
local due = redis.call('ZRANGEBYSCORE', everybody, '-inf', now, 'LIMIT', 0, ARGV[3])
for _, entry in ipairs(due) do
  local id, user = string.sub(entry, 1, 64), string.sub(entry, 66)
  remove(id, user)
end
return due
