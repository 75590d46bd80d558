-- Creates a session. KEYS: the record. Answers 0 if there are as many as there may be; otherwise 1, and
-- the id and the record of the user's session that ended for it, if one had to.
local id, idle, lifetime = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local total, per_user = tonumber(ARGV[6]), tonumber(ARGV[7])
local user, kind = ARGV[8], ARGV[9]
local key, half, renew, life = ARGV[10], ARGV[11], tonumber(ARGV[12]), ARGV[13]
local now = time()
local index = index_of(user)

-- Which goes: the order is that of sessions in memory.
local function rank(record)
  local is_same = record.kind == kind
  local is_steady = tonumber(record.count) >= 3
  if is_same and not is_steady then return 1 end
  if not is_steady and now - tonumber(record.used) >= 60000 then return 2 end
  if is_same then return 3 end
  return 4
end

local gone, gone_record, gone_rank, lost
local ids = redis.call('ZRANGEBYSCORE', index, '(' .. whole(now), '+inf')
if #ids >= per_user then
  for _, other in ipairs(ids) do
    local record = read(key_of(other))
    if not record then
      lost = other
      gone = nil
      break
    end
    local its = rank(record)
    if not gone or its < gone_rank
      or its == gone_rank and tonumber(record.used) < tonumber(gone_record.used) then
      gone, gone_record, gone_rank = other, record, its
    end
  end
end

local count = redis.call('ZCOUNT', everybody, '(' .. whole(now), '+inf')
if gone or lost then count = count - 1 end
if count >= total then return { 0, '', {} } end

-- What needs memory comes first: a Redis that is full refuses a script's first write, but none after it.
local record = { 'v', '1', 'user', user, 'kind', kind, 'started', whole(now), 'used', whole(now), 'count', '0' }
for i = 14, #ARGV do record[#record + 1] = ARGV[i] end
local given = {}
for i = 14, #ARGV, 2 do given[ARGV[i]] = ARGV[i + 1] end
redis.call('HSET', key_of(id), unpack(record))
if key ~= '' then
  redis.call('HSET', half_of(id), 'key', key, 'sealed', half, 'name', redis.call('HGET', key_of(id), 'name'))
  redis.call('PEXPIRE', half_of(id), life)
  redis.call('ZADD', dues_of(key), whole(now + renew), id)
end
if gone then remove(gone, user, gone_record) end
if lost then remove(lost, user) end
for _, its in ipairs(indexes_of(user, given)) do redis.call('ZREMRANGEBYSCORE', its, '-inf', whole(now)) end
local ends = now + idle
if lifetime > 0 then ends = math.min(ends, now + lifetime) end
expire(id, user, given, ends, now)
if gone then return { 1, gone, flatten(gone_record) } end
return { 1, '', {} }
