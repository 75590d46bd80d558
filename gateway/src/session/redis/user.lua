-- Acts on all sessions of a user. KEYS: the user's index. Answers with pairs of an id and a record.
--
-- `revoke`: they end, but the one to keep. `replace`: name, status and access are set.
local user, how, keep = ARGV[3], ARGV[4], ARGV[5]
local found = {}
for _, id in ipairs(redis.call('ZRANGE', index_of(user), 0, -1)) do
  local record = read(key_of(id))
  local is_meant = false
  if not record then
    redis.call('ZREM', index_of(user), id)
  elseif how == 'revoke' and id ~= keep then
    is_meant = true
    remove(id, user)
  elseif how == 'replace' and record.v == '1' then
    is_meant = true
    redis.call('HSET', key_of(id), 'name', ARGV[6], 'status', ARGV[7], 'access', ARGV[8])
  end
  if is_meant then found[#found + 1] = { id, flatten(record) } end
end
return found
