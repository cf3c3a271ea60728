-- Opens an event's inventory, once.
-- KEYS  1 inventory  2 log  3 plan  4 seats  5 run
-- ARGV  1 run_id  2 capacity (seats)  3 genesis link  4 plan, packed ('' in general admission)
--       5 longest runs, a character a block  6… map of block 0, 1, …
-- Reply {'OPENED', position} | {'EXISTS'}
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {'EXISTS'}
end

local at = now_ms()
local fresh = {epoch = 1, seq = 0, chain = ARGV[3]}
local position, seq, link = append(fresh, ('{"kind":"opened","at":%d,"capacity":%d}'):format(at, ARGV[2]))

if ARGV[4] ~= '' then
  redis.call('SET', KEYS[3], ARGV[4])
  redis.call('SET', KEYS[5], ARGV[5])
  for block = 6, #ARGV do
    redis.call('HSET', KEYS[4], block - 6, ARGV[block])
  end
end
redis.call('HSET', KEYS[1], 'epoch', 1, 'seq', seq, 'chain', link, 'server', ARGV[1], 'state', 'on_sale',
  'capacity', ARGV[2], 'sold', 0, 'held', 0, 'blocked', 0, 'persisted', 0, 'updated', at)
return {'OPENED', position}
