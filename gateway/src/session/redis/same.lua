-- Says that a password is the same as one before, hashed anew. KEYS: what is kept of it.
--
-- For a day: other gateways may open sessions with the one before for as long as they do not know the other.
redis.call('SET', KEYS[1], ARGV[3], 'PX', 86400000)
return true
