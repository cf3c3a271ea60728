#!lua flags=allow-oom
-- Takes a purchase back: its seats return, and its idempotency record stays.
-- KEYS  1 inventory  2 log  3 cancelled  4 quarantined  5 seats  6 run
-- ARGV  1 run_id  2 position of the purchase  3 its seq  4 its quantity  5 its runs
-- Reply {'CANCELLED'} | {'ALREADY'} (nothing changes) | {'MISSING'} | {'UNTRUSTED'}
-- Invariant: a purchase's seats return once, however often it is cancelled and whoever has them since.
local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
if redis.call('SISMEMBER', KEYS[3], ARGV[3]) == 1 then
  return {'ALREADY'}
end

local at = now_ms()
local sold = inventory.sold - ARGV[4]
local left = inventory.capacity - sold - inventory.held - inventory.blocked
local change = '{"kind":"cancelled","at":%d,"purchase":"%s","quantity":%d,"left":%d,"runs":"%s"}'
local _, seq, link = append(inventory, change:format(at, ARGV[2], ARGV[4], left, ARGV[5]))

redis.call('SADD', KEYS[3], ARGV[3])
redis.call('SREM', KEYS[4], ARGV[3])
redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'sold', sold, 'updated', at)
mark(KEYS[5], KEYS[6], parse_runs(ARGV[5]), 'a')
return {'CANCELLED'}
