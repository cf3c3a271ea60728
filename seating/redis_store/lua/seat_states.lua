#!lua flags=no-writes
-- All seats of an event as of one position.
-- KEYS  1 inventory  2 log  3 seats
-- ARGV  1 run_id
-- Reply {'STATES', position, link of the entry there, seats left, {block, map, block, map …}} (no block in general
--       admission) | {'MISSING'} | {'UNTRUSTED'}
local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
local left = inventory.capacity - inventory.sold - inventory.held - inventory.blocked
local position = inventory.epoch .. '-' .. inventory.seq
return {'STATES', position, inventory.chain, left, redis.call('HGETALL', KEYS[3])}
