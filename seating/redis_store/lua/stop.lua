#!lua flags=allow-oom
-- Notes that SQL lacks what it once acknowledged: what sells goes on, what does not begins no new term.
-- KEYS  1 inventory  2 log
-- ARGV  1 caller  2 acknowledged position and link that SQL lacks  3 reason
-- Reply {'STOPPED'} | {'STALE'} (something else is acknowledged by now) | {'MISSING'}
local acknowledged = redis.call('HGET', KEYS[1], 'acknowledged')
if not acknowledged then
  return {'MISSING'}
end
if acknowledged ~= ARGV[2] then
  return {'STALE'}
end
redis.call('HSET', KEYS[1], 'stopped', ARGV[3])
return {'STOPPED'}
