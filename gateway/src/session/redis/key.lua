-- Agrees on the key that gateways seal by, of which only a name is told. KEYS: what they say to each other of it.
--
-- The key of those that live stands; if nobody has one, that of whoever asks. Answers with its name; for whoever has
-- another, with a box that was sealed for them, or nothing; for whoever has that one, with those who want it.
local me, mine, public, life = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local now = time()
local said = read(KEYS[1]) or {}
local agreed, wants = nil, {}

-- As others are told of every change, nothing is said again before it has to be.
local function say(field, value)
  local ends, before = string.match(said[field] or '', '^(%d+) (.*)$')
  if before ~= value or tonumber(ends) < now + life / 2 then
    redis.call('HSET', KEYS[1], field, whole(now + life) .. ' ' .. value)
  end
end

for field, value in pairs(said) do
  local kind, gateway = string.match(field, '^(%l+):(.*)$')
  local ends, text = string.match(value, '^(%d+) (.*)$')
  if not ends or tonumber(ends) <= now then
    redis.call('HDEL', KEYS[1], field)
  elseif kind == 'has' and gateway ~= me then
    -- There may be two, if some were cut off from Redis for long.
    if not agreed or text < agreed then agreed = text end
  elseif kind == 'wants' and not said['box:' .. gateway] then
    wants[#wants + 1] = { gateway, text }
  end
end
agreed = agreed or mine

local box = ''
if agreed == mine or public == '' then
  say('has:' .. me, mine)
  redis.call('HDEL', KEYS[1], 'wants:' .. me, 'box:' .. me)
else
  if string.match(said['wants:' .. me] or '', '^%d+ (.*)$') == public then
    box = string.match(said['box:' .. me] or '', '^%d+ (.*)$') or ''
  else
    redis.call('HDEL', KEYS[1], 'box:' .. me)
  end
  say('wants:' .. me, public)
end
redis.call('PEXPIRE', KEYS[1], life)
watch()
return { agreed, box, agreed == mine and wants or {} }
