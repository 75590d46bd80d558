-- What every script begins with. ARGV: the prefix of all keys, a clock (empty: that of Redis, which is
-- the only one that counts; tests bring another).
local prefix, clock = ARGV[1], ARGV[2]
local everybody = prefix .. 'all'

local function time()
  if clock ~= '' then return tonumber(clock) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function key_of(id) return prefix .. 's:' .. id end
local function index_of(user) return prefix .. 'u:' .. user end
local function same_as(password) return prefix .. 'same:' .. password end
-- InfluxDB's half of a session, and when each that was sealed by the same key is due.
local function half_of(id) return prefix .. 'h:' .. id end
local function dues_of(key) return prefix .. 'due:' .. key end
local function whole(number) return string.format('%.0f', number) end

-- Has Redis go on watching the first of KEYS for the gateway that asks: with a write, it stops watching a key for whoever
-- wrote. So it is called after the last write to a key that a gateway watches. What a script writes that is not in KEYS, Redis
-- before 7.2 watches for nobody: that it answers, for the gateway to look at again.
local function watch() redis.call('HEXISTS', KEYS[1], 'v') end

-- The record of a session as a table; nil if there is none.
local function read(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local record = {}
  for i = 1, #flat, 2 do record[flat[i]] = flat[i + 1] end
  return record
end

-- The same as a list, for whoever asked.
local function flatten(record)
  local flat = {}
  for field, value in pairs(record) do
    flat[#flat + 1] = field
    flat[#flat + 1] = value
  end
  return flat
end

-- When the session ends if it is not used any more. A gateway holds it for uses that it has not told yet.
local function expiry(record, idle, lifetime)
  local last = tonumber(record.used)
  for field, value in pairs(record) do
    if string.sub(field, 1, 5) == 'hold:' then last = math.max(last, tonumber(value)) end
  end
  local ends = last + idle
  if lifetime > 0 then ends = math.min(ends, tonumber(record.started) + lifetime) end
  return ends
end

-- Which indexes have the session: that of its user; and those of what a sign-in provider calls the user and its own
-- session, as far as the record has a digest of it.
local function indexes_of(user, record)
  local indexes = { index_of(user) }
  for field, name in pairs({ subject = 'p:', sid = 'i:' }) do
    if record[field] then indexes[#indexes + 1] = prefix .. name .. record[field] end
  end
  return indexes
end

-- Has the session and its places in the indexes end at this time.
local function expire(id, user, record, ends, now)
  redis.call('PEXPIREAT', key_of(id), whole(ends))
  redis.call('ZADD', everybody, whole(ends), id .. ':' .. user)
  for _, index in ipairs(indexes_of(user, record)) do
    redis.call('ZADD', index, whole(ends), id)
    if redis.call('PTTL', index) < ends - now then redis.call('PEXPIREAT', index, whole(ends)) end
  end
end

-- Ends the session. What InfluxDB has of it, is due at once. Of a record that is gone, what is left in the indexes by
-- provider goes with the next session there, or with the index.
local function remove(id, user, record)
  redis.call('DEL', key_of(id))
  redis.call('ZREM', everybody, id .. ':' .. user)
  for _, index in ipairs(indexes_of(user, record or {})) do redis.call('ZREM', index, id) end
  -- Last: a Redis that is full refuses it as a script's first write.
  local half = read(half_of(id))
  -- A gateway may have found it over before, and is signing out of its half.
  if half and not half.over then redis.call('ZADD', dues_of(half.key), 0, id) end
end

