-- Looks a session up. KEYS: the record, for Redis to watch it on behalf of the gateway that asks.
-- Answers false if there is none; otherwise for how long it lives, for how long this gateway's uses are
-- covered, whether something was written, how long ago it began, and the record.
--
-- `use`: it is used now. Nothing is written while this gateway holds it, and counts the uses.
-- `pass`: it is used now by a gateway without near cache, which counts nothing. The first use holds it for those that
-- follow, so nothing is written for them; nobody gives that back. Only the first few are told apart.
-- `hold`: it was used `uses` times, last so long ago, and this gateway goes on holding it.
-- `settle`: the same, and the gateway gives back what it held.
-- `peek`: it is looked at.
local id, idle, lifetime, how = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local hold, interval = 'hold:' .. ARGV[7], tonumber(ARGV[8])
local age, uses, held = tonumber(ARGV[9]), tonumber(ARGV[10]), ARGV[11]
local key, now = key_of(id), time()
local record = read(key)
if not record then return false end
-- Another gateway may write what this one does not know: then nothing is touched.
if record.v ~= '1' then return { 0, 0, 0, 0, flatten(record) } end
if expiry(record, idle, lifetime) <= now then return false end

local covered = tonumber(record[hold] or '0')
local use = now - age
local writes = how == 'hold' or how == 'settle' or (how == 'use' or how == 'pass') and use > covered
  or how == 'pass' and record.count ~= '3'
if writes then
  local function set(field, value)
    value = whole(value)
    record[field] = value
    redis.call('HSET', key, field, value)
  end
  local function drop(field)
    record[field] = nil
    redis.call('HDEL', key, field)
  end
  if how == 'settle' then
    if record[hold] == held then drop(hold) end
  elseif interval > 0 then
    covered = now + interval
    set(hold, covered)
  end
  if uses > 0 then
    set('used', math.max(tonumber(record.used), use))
    if record.count ~= '3' then set('count', math.min(tonumber(record.count) + uses, 3)) end
  end
  -- Of a gateway that is gone, nobody gives it back.
  local gone = {}
  for field, value in pairs(record) do
    if field ~= hold and string.sub(field, 1, 5) == 'hold:' and tonumber(value) < now - idle / 2 then
      gone[field] = tonumber(value)
    end
  end
  for field, value in pairs(gone) do
    set('used', math.max(tonumber(record.used), value))
    drop(field)
  end
  expire(id, record.user, record, expiry(record, idle, lifetime), now)
  watch()
end
local ends = expiry(record, idle, lifetime)
return { ends - now, covered - now, writes and 1 or 0, now - tonumber(record.started), flatten(record) }
