-- What may come once. KEYS: what has come of its kind, by the time at which it would be too late for it anyway. ARGV: `look`
-- or `note`; what; for how long it is remembered; how much is, at most. Answers with 1 if it had come before.
local come, how, what = KEYS[1], ARGV[3], ARGV[4]
local life, most, now = tonumber(ARGV[5]), tonumber(ARGV[6]), time()
local ends = tonumber(redis.call('ZSCORE', come, what))
if ends and ends > now then return 1 end
if how == 'note' then
  -- First: a Redis that is full refuses it, and then it has not come.
  redis.call('ZADD', come, whole(now + life), what)
  redis.call('ZREMRANGEBYSCORE', come, '-inf', whole(now))
  redis.call('ZREMRANGEBYRANK', come, 0, -most - 1)
  if redis.call('PTTL', come) < life then redis.call('PEXPIRE', come, whole(life)) end
end
return 0
