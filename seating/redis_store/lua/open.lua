-- Opens an event's inventory, once, where SQL's ledger of it stands.
-- KEYS  1 inventory  2 log  3 plan  4 seats  5 run
-- ARGV  1 run_id  2 epoch, 3 seq, 4 change and 5 link of the ledger's last entry, which becomes the log's first
--       6 capacity (seats)  7 plan, packed ('' in general admission)  8 longest runs, a character a block
--       9… map of block 0, 1, …
-- Reply {'OPENED'} | {'EXISTS'}
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {'EXISTS'}
end

redis.call('XADD', KEYS[2], ARGV[2] .. '-' .. ARGV[3], 'change', ARGV[4], 'link', ARGV[5])
if ARGV[7] ~= '' then
  redis.call('SET', KEYS[3], ARGV[7])
  redis.call('SET', KEYS[5], ARGV[8])
  for block = 9, #ARGV do
    redis.call('HSET', KEYS[4], block - 9, ARGV[block])
  end
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'seq', ARGV[3], 'chain', ARGV[5], 'server', ARGV[1], 'state', 'on_sale',
  'capacity', ARGV[6], 'sold', 0, 'held', 0, 'blocked', 0, 'persisted', ARGV[3], 'updated', now_ms())
return {'OPENED'}
