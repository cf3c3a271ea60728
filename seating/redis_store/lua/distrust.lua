#!lua flags=allow-oom
-- Stops all selling on an inventory whose log does not continue SQL's.
-- KEYS  1 inventory  2 log
-- ARGV  1 run_id  2 epoch of SQL's ledger: an inventory of a later one is not meant
-- Reply {'DISTRUSTED'} | {'STALE'} | {'MISSING'}
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  return {'MISSING'}
end
if tonumber(epoch) > tonumber(ARGV[2]) then
  return {'STALE'}
end
redis.call('HSET', KEYS[1], 'server', '')
return {'DISTRUSTED'}
