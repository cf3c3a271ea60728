-- The last step of a rebuilding, which puts the inventory back on sale: its log begins where SQL's ledger ends.
-- KEYS  1 inventory  2 log
-- ARGV  1 run_id  2 token of the claim  3 position, 4 change and 5 link of the ledger's last entry
--       6… fields and values of the inventory
-- Reply {'DONE'} | {'OVERTAKEN'} (the claim is not ours any more; nothing changes)
if redis.call('HGET', KEYS[1], 'rebuilding') ~= ARGV[2] then
  return {'OVERTAKEN'}
end
redis.call('XADD', KEYS[2], ARGV[3], 'change', ARGV[4], 'link', ARGV[5])
redis.call('HDEL', KEYS[1], 'rebuilding', 'lease_until')
redis.call('HSET', KEYS[1], 'server', ARGV[1], unpack(ARGV, 6))
return {'DONE'}
