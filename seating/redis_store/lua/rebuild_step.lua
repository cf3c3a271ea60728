-- One step of a rebuilding: wipes the event, writes a part of it, or only renews the lease (one of 0 ms ends it).
-- KEYS  1 inventory  2… the keys to wipe, or the one to write
-- ARGV  1 run_id  2 token of the claim  3 lease, in ms  4 WIPE, KEEP, or the command to write with  5… its values
-- Reply {'DONE'} | {'OVERTAKEN'} (the claim is not ours any more; nothing changes)
if redis.call('HGET', KEYS[1], 'rebuilding') ~= ARGV[2] then
  return {'OVERTAKEN'}
end
if ARGV[4] == 'WIPE' then
  redis.call('UNLINK', unpack(KEYS))
  redis.call('HSET', KEYS[1], 'rebuilding', ARGV[2])
elseif #ARGV > 4 then
  redis.call(ARGV[4], KEYS[2], unpack(ARGV, 5))
end
redis.call('HSET', KEYS[1], 'lease_until', now_ms() + ARGV[3])
return {'DONE'}
