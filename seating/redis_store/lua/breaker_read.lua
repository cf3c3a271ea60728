-- A breaker as of one moment, for those who watch it.
-- KEYS  1 breaker  2 failures
-- ARGV  1 caller, not needed  2 window of failures
-- Reply {state, opened at or 0, next probe at or 0, failures within the window, openings}
-- Units ms; moments are ms since 1970. Invariant: writes nothing.
local fields = {'probe_at', 'lease_until', 'opened_at', 'openings'}
local probe_at, lease_until, opened_at, openings = unpack(redis.call('HMGET', KEYS[1], unpack(fields)))
local now = now_ms()
local failures = 0
for _, at in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
  if now - at <= tonumber(ARGV[2]) then
    failures = failures + 1
  end
end
local state, next_probe_at = 'CLOSED', 0
if probe_at then
  next_probe_at = math.max(tonumber(probe_at), tonumber(lease_until or 0))
  state = now < tonumber(probe_at) and 'OPEN' or 'HALF_OPEN'
end
return {state, (opened_at or 0) + 0, next_probe_at, failures, (openings or 0) + 0}
