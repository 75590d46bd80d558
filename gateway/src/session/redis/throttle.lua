-- Judges a guess at a password. KEYS: the clients that have signed in, each with the name. ARGV: what to do;
-- who is counted: the client with the name, the client, the name; for how long failures count; for how long a
-- client is known for a name; how many are counted of each kind; for each kind how many failures are allowed,
-- the first wait, the longest wait. Answers with the wait that keeps the guess from being made (0: none),
-- whether the client is known, and the waits that begin with the failure (-1: none).
local known, step = KEYS[1], ARGV[3]
local window, remembered, places = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local now = time()

-- Of each kind two keys are kept: since when failures are counted, which is in the future for whoever has to
-- wait; and how many.
local function kind(number, name)
  local rules = 7 + 3 * number
  return {
    whom = ARGV[3 + number],
    since = prefix .. 't:' .. name .. ':since',
    failures = prefix .. 't:' .. name .. ':failures',
    allowed = tonumber(ARGV[rules]),
    first = tonumber(ARGV[rules + 1]),
    longest = tonumber(ARGV[rules + 2]),
  }
end
local pair, client, user = kind(1, 'pair'), kind(2, 'client'), kind(3, 'user')

local function is_full(kind) return redis.call('ZCARD', kind.since) >= places end

-- Since when whoever was untouched for longest is counted, and who that is.
local function oldest(kind)
  local oldest = redis.call('ZRANGE', kind.since, 0, 0, 'WITHSCORES')
  return tonumber(oldest[2]), oldest[1]
end

-- Where everybody has to wait, so does who has no place. Who has not failed too often does not wait: if failures
-- are counted from a time to come, it was another machine's clock that told it, or this one was set back.
local function wait_of(kind)
  local whom = kind.whom
  local since = tonumber(redis.call('ZSCORE', kind.since, whom))
  if not since and is_full(kind) then since, whom = oldest(kind) end
  if (since or 0) <= now then return 0 end
  local failures = tonumber(redis.call('HGET', kind.failures, whom)) or 0
  return failures >= kind.allowed and since - now or 0
end

local function forget(kind, whom)
  redis.call('ZREM', kind.since, whom)
  redis.call('HDEL', kind.failures, whom)
end

-- Makes a place; false if all others have to wait.
local function make_room(kind)
  local over = redis.call('ZRANGEBYSCORE', kind.since, '-inf', whole(now - window), 'LIMIT', 0, 100)
  for _, whom in ipairs(over) do forget(kind, whom) end
  if not is_full(kind) then return true end
  local since, whom = oldest(kind)
  if since > now then return false end
  forget(kind, whom)
  return true
end

-- Counts a failure; returns the wait that begins with it.
local function fail(kind)
  local since = tonumber(redis.call('ZSCORE', kind.since, kind.whom))
  if not since or since + window <= now then
    forget(kind, kind.whom)
    if not make_room(kind) then return -1 end
    since = now
  end
  local failures = redis.call('HINCRBY', kind.failures, kind.whom, 1)
  local wait = -1
  if failures >= kind.allowed then
    wait = math.min(kind.first * 2 ^ (failures - kind.allowed), kind.longest)
    since = now + wait
  end
  redis.call('ZADD', kind.since, whole(since), kind.whom)
  for _, key in ipairs({kind.since, kind.failures}) do
    redis.call('PEXPIRE', key, whole(kind.longest + window))
  end
  return wait
end

local noted = tonumber(redis.call('ZSCORE', known, pair.whom))
local is_known = noted and noted + remembered > now
local wait = math.max(wait_of(pair), wait_of(client))
if not is_known then wait = math.max(wait, wait_of(user)) end
local answer = {wait, is_known and 1 or 0, -1, -1, -1}
if wait > 0 then return answer end
if step == 'fail' then
  for index, kind in ipairs({pair, client, user}) do answer[index + 2] = fail(kind) end
elseif step == 'succeed' then
  forget(pair, pair.whom)
  redis.call('ZADD', known, whole(now), pair.whom)
  redis.call('ZREMRANGEBYSCORE', known, '-inf', whole(now - remembered))
  redis.call('ZREMRANGEBYRANK', known, 0, -places - 1)
  redis.call('PEXPIRE', known, whole(remembered))
end
return answer
