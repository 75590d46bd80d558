-- Strikes sessions that have idled out from the index of all. KEYS: that index. Answers with each
-- session, its user, and the user's name if it is known; what one gateway has struck, no other is told. And with how
-- many are left.
local now = whole(time())
local due = redis.call('ZRANGEBYSCORE', everybody, '-inf', now, 'LIMIT', 0, ARGV[3])
local struck = {}
for _, entry in ipairs(due) do
  local id, user = string.sub(entry, 1, 64), string.sub(entry, 66)
  struck[#struck + 1] = { id, user, redis.call('HGET', half_of(id), 'name') }
  remove(id, user)
end
return { struck, redis.call('ZCARD', everybody) }
