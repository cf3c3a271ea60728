#!lua flags=allow-oom
-- Takes in how an admitted call ended, and opens or closes the breaker by it.
-- KEYS  1 breaker  2 failures: moments of the last ones while closed, newest first
-- ARGV  1 caller, not needed  2 turn of the admission  3 SUCCESS, FAILURE or ABANDONED  4 failures that open
--       5 window they have to be in  6 first wait  7 longest wait  8 jitter: what to add to the wait, in millionths of it
-- Reply {'LATE'} (of an earlier turn: changes nothing) | {'KEPT'} | {'OPENED', wait, openings in a row} | {'CLOSED'}
-- Units ms; moments are ms since 1970.
-- Invariant: only an outcome of the current turn changes the state, and every change of state begins a new turn.
local turn, probe_at, row = unpack(redis.call('HMGET', KEYS[1], 'turn', 'probe_at', 'row'))
if ARGV[2] ~= (turn or '0') then
  return {'LATE'}
end
local now = now_ms()
if not probe_at then
  if ARGV[3] ~= 'FAILURE' then
    return {'KEPT'}
  end
  redis.call('LPUSH', KEYS[2], now)
  redis.call('LTRIM', KEYS[2], 0, ARGV[4] - 1)
  redis.call('PEXPIRE', KEYS[2], ARGV[5] + 1)
  local first = redis.call('LINDEX', KEYS[2], ARGV[4] - 1)
  if not first or now - first > tonumber(ARGV[5]) then
    return {'KEPT'}
  end
  redis.call('HSET', KEYS[1], 'opened_at', now)
elseif ARGV[3] == 'ABANDONED' then
  redis.call('HDEL', KEYS[1], 'lease_until')
  redis.call('HINCRBY', KEYS[1], 'turn', 1)
  return {'KEPT'}
elseif ARGV[3] == 'SUCCESS' then
  redis.call('HDEL', KEYS[1], 'probe_at', 'lease_until', 'opened_at', 'row')
  redis.call('HINCRBY', KEYS[1], 'turn', 1)
  return {'CLOSED'}
end

row = (row or 0) + 1
local longest = tonumber(ARGV[7])
local wait = math.min(ARGV[6] * 2 ^ math.min(row - 1, 40), longest)
wait = math.min(math.floor(wait + wait * ARGV[8] / 1000000), longest)
redis.call('HSET', KEYS[1], 'probe_at', now + wait, 'row', row)
redis.call('HDEL', KEYS[1], 'lease_until')
redis.call('HINCRBY', KEYS[1], 'turn', 1)
redis.call('HINCRBY', KEYS[1], 'openings', 1)
redis.call('DEL', KEYS[2])
return {'OPENED', wait, row}
