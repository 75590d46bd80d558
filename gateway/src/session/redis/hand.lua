-- Hands the key that gateways seal by to one of them, sealed for that one. KEYS: what they say of it to each other.
local to, box, life = ARGV[3], ARGV[4], tonumber(ARGV[5])
redis.call('HSET', KEYS[1], 'box:' .. to, whole(time() + life) .. ' ' .. box)
watch()
return true
