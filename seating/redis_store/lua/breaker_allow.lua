#!lua flags=allow-oom
-- Whether a call may go out now; once the wait is over, makes one caller the probe.
-- KEYS  1 breaker
-- ARGV  1 caller, not needed: a breaker that Redis lost is closed  2 lease of a probe  3 longest wait
-- Reply {'CLOSED', turn} | {'PROBE', turn} | {'OPEN', wait until a probe} | {'HALF_OPEN', rest of the probe's lease}
-- Units ms; moments are ms since 1970. What is further away than it can be was written by another clock, and is over.
-- Invariant: while open, at most one admission is of the current turn, and it is a probe within its lease.
local turn, probe_at, lease_until = unpack(redis.call('HMGET', KEYS[1], 'turn', 'probe_at', 'lease_until'))
if not probe_at then
  return {'CLOSED', (turn or 0) + 0}
end
local now = now_ms()
if now < tonumber(probe_at) and probe_at - now <= tonumber(ARGV[3]) then
  return {'OPEN', probe_at - now}
end
if lease_until and now < tonumber(lease_until) and lease_until - now <= tonumber(ARGV[2]) then
  return {'HALF_OPEN', lease_until - now}
end
redis.call('HSET', KEYS[1], 'lease_until', now + ARGV[2])
return {'PROBE', redis.call('HINCRBY', KEYS[1], 'turn', 1)}
