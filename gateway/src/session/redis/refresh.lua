-- What becomes of a session whose provider is asked about it. KEYS: the record. Answers false if there is none.
--
-- `begin`: somebody wants to ask, who does that every so often, and has the lease for so long at most. Answers with what is
-- kept of the provider, sealed; or with nothing if somebody else has a lease, or has just asked.
-- `confirm`: the provider has confirmed it to whoever has the lease, with these groups; that is kept now, and the user may
-- do so much. From whoever has the lease no more, nothing is kept: others may have asked since.
-- `silent`: the provider does not answer. Answers for how long that is so.
-- `kept`: answers with what is kept.
--
-- The lease ends with whoever has it, and by nobody else.
local id, how, lease = ARGV[3], ARGV[4], ARGV[5]
local key, now = key_of(id), time()
local record = read(key)
if not record or record.v ~= '1' or not record.provider then return false end
if how == 'kept' then return record.kept or '' end
local ends, holder = string.match(record.asking or '', '^(%d+) (%x+)$')
local answer = ''
if how == 'begin' then
  local last = tonumber(record.refreshed or record.started)
  if now - last < tonumber(ARGV[6]) or ends and tonumber(ends) > now then return '' end
  redis.call('HSET', key, 'asking', whole(now + tonumber(ARGV[7])) .. ' ' .. lease)
  answer = record.kept or ''
elseif how == 'confirm' then
  if holder ~= lease then return '' end
  redis.call('HSET', key, 'refreshed', whole(now), 'groups', ARGV[6], 'kept', ARGV[7], 'access', ARGV[8])
  redis.call('HDEL', key, 'asking', 'silent')
else
  if not record.silent then redis.call('HSET', key, 'silent', whole(now)) end
  if holder == lease then redis.call('HDEL', key, 'asking') end
  answer = whole(now - tonumber(record.silent or now))
end
watch()
return answer
