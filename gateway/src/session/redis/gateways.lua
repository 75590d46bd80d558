-- Says that a gateway lives, or that it is about to stop. KEYS: all gateways. Answers with those that live beside
-- it: the name of each, up to when it lives if it says nothing more, a digest of its users, and its host.
local me, digest, host, life = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local now = time()
if life == 0 then
  redis.call('HDEL', KEYS[1], me)
  return {}
end
redis.call('HSET', KEYS[1], me, whole(now + life) .. ' ' .. digest .. ' ' .. host)
redis.call('PEXPIRE', KEYS[1], life)
local found = {}
for gateway, entry in pairs(read(KEYS[1])) do
  local ends, its, where = string.match(entry, '^(%d+) (%x+) (.*)$')
  if not ends or tonumber(ends) <= now then
    redis.call('HDEL', KEYS[1], gateway)
  elseif gateway ~= me then
    found[#found + 1] = { gateway, ends, its, where }
  end
end
return found
