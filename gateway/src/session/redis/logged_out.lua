-- Whom sign-in providers have logged out. KEYS: those, by when it was. ARGV: `look` or `note`; how long ago it was at most,
-- to look for it; for how long it is remembered; how many are, at most; who. Answers with 1 if one of them was.
local out, how, age = KEYS[1], ARGV[3], tonumber(ARGV[4])
local life, most, now = tonumber(ARGV[5]), tonumber(ARGV[6]), time()
if how == 'look' then
  for i = 7, #ARGV do
    local at = tonumber(redis.call('ZSCORE', out, ARGV[i]))
    if at and at >= now - age then return 1 end
  end
  return 0
end
for i = 7, #ARGV do redis.call('ZADD', out, whole(now), ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', out, '-inf', whole(now - life))
redis.call('ZREMRANGEBYRANK', out, 0, -most - 1)
redis.call('PEXPIRE', out, whole(life))
return 0
