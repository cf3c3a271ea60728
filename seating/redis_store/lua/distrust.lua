#!lua flags=allow-oom
-- Stops all selling on an inventory whose log does not continue SQL's.
-- KEYS  1 inventory  2 log
-- ARGV  1 run_id
-- Reply {'DISTRUSTED'} | {'MISSING'}
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'MISSING'}
end
redis.call('HSET', KEYS[1], 'server', '')
return {'DISTRUSTED'}
