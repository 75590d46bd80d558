-- A gateway is done with InfluxDB's half of a session. KEYS: when each is due.
--
-- `forget`: nothing is left of it. `renewed`: it is due again after a time. Of a session that has ended
-- meanwhile, whoever ended it has said when it is due. `return`: it is due now, for another gateway.
local id, how, after = ARGV[3], ARGV[4], tonumber(ARGV[5])
if how == 'forget' then
  redis.call('ZREM', KEYS[1], id)
  redis.call('DEL', half_of(id))
elseif how == 'return' or redis.call('EXISTS', key_of(id)) == 1 then
  -- Out and in: a Redis that is full refuses what needs memory as a script's first write.
  if redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('ZADD', KEYS[1], whole(time() + after), id)
  end
end
