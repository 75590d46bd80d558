-- How many sessions live. KEYS: the index of all.
return redis.call('ZCOUNT', KEYS[1], '(' .. whole(time()), '+inf')
