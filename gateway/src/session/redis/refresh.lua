-- What becomes of a session whose provider is asked about it. KEYS: the record. Answers false if there is none.
--
-- `begin`: somebody wants to ask, who does that every so often, and takes so long at most. Answers with what is kept of the
-- provider, sealed; or with nothing if somebody else does, or has just done so.
-- `confirm`: the provider has confirmed it, with these groups; that is kept now, and the user may do so much.
-- `silent`: the provider does not answer. Answers for how long that is so.
-- `kept`: answers with what is kept.
local id, how = ARGV[3], ARGV[4]
local key, now = key_of(id), time()
local record = read(key)
if not record or record.v ~= '1' or not record.provider then return false end
if how == 'kept' then return record.kept or '' end
if how == 'begin' then
  local last = tonumber(record.refreshed or record.started)
  if now - last < tonumber(ARGV[5]) or tonumber(record.asking or '0') > now then return '' end
  redis.call('HSET', key, 'asking', whole(now + tonumber(ARGV[6])))
  return record.kept or ''
end
if how == 'confirm' then
  redis.call('HSET', key, 'refreshed', whole(now), 'groups', ARGV[5], 'kept', ARGV[6], 'access', ARGV[7])
  redis.call('HDEL', key, 'asking', 'silent')
  return ''
end
if not record.silent then redis.call('HSET', key, 'silent', whole(now)) end
redis.call('HDEL', key, 'asking')
return whole(now - tonumber(record.silent or now))
