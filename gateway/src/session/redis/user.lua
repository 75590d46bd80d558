-- Acts on all sessions of a user. KEYS: the user's index. Answers with pairs of an id and a record, and
-- with the ids of those of which nothing but the password was written.
--
-- `revoke`: they end, but the one to keep. `password`: they end, but those that were opened with it. `replace`:
-- name, status and access are set, where they are others.
local user, how, keep = ARGV[3], ARGV[4], ARGV[5]
local fields = { name = ARGV[6], status = ARGV[7], access = ARGV[8] }
local same = how == 'password' and redis.call('GET', same_as(keep))
local found, written = {}, {}

local function differs(record)
  for field, value in pairs(fields) do
    if record[field] ~= value then return true end
  end
end

local function is_meant(id, record)
  if how == 'revoke' then return id ~= keep end
  if how == 'password' then return record.password ~= keep and record.password ~= same end
  return record.v == '1' and differs(record)
end

for _, id in ipairs(redis.call('ZRANGE', index_of(user), 0, -1)) do
  local key = key_of(id)
  local record = read(key)
  if not record then
    redis.call('ZREM', index_of(user), id)
  elseif is_meant(id, record) then
    if how == 'replace' then
      for field, value in pairs(fields) do redis.call('HSET', key, field, value) end
    else
      remove(id, user, record)
    end
    found[#found + 1] = { id, flatten(record) }
  elseif how == 'password' and record.password ~= keep then
    redis.call('HSET', key, 'password', keep)
    written[#written + 1] = id
  end
end
return { found, written }
