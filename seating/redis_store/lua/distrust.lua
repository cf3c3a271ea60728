#!lua flags=allow-oom
-- Stops all selling on an inventory whose log does not continue SQL's.
-- KEYS  1 inventory  2 log
-- ARGV  1 run_id  2 epoch and 3 server of the inventory as they were before its log was read; '' where it was missing
-- Reply {'DISTRUSTED'} | {'MISSING'} | {'STALE'} (somebody has rebuilt or trusted it since; nothing changes)
local epoch, server = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'server'))
if not epoch and ARGV[2] == '' then
  return {'MISSING'}
end
if epoch ~= ARGV[2] or (server or '') ~= ARGV[3] then
  return {'STALE'}
end
redis.call('HSET', KEYS[1], 'server', '')
return {'DISTRUSTED'}
