-- A breaker as of one moment, for those who watch it.
-- KEYS  1 breaker  2 failures
-- ARGV  1 caller, not needed  2 window of failures  3 lease of a probe  4 longest wait
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
-- As breaker_allow.lua has it: now, if it is further away than it can be.
local function moment(text, longest)
  local at = tonumber(text or 0)
  return at - now <= tonumber(longest) and at or now
end
if probe_at then
  probe_at, lease_until = moment(probe_at, ARGV[4]), moment(lease_until, ARGV[3])
  next_probe_at = math.max(probe_at, lease_until)
  state = now < probe_at and 'OPEN' or 'HALF_OPEN'
end
return {state, (opened_at or 0) + 0, next_probe_at, failures, (openings or 0) + 0}
