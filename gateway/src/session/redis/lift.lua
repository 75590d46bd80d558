-- Forgets failures. KEYS: since when those of this kind are counted. ARGV: the kind; whose.
redis.call('ZREM', KEYS[1], ARGV[4])
redis.call('HDEL', prefix .. 't:' .. ARGV[3] .. ':failures', ARGV[4])
return true
