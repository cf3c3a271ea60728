#!lua flags=allow-oom
-- Takes a purchase back: its seats return, and its idempotency record stays.
-- KEYS  1 inventory  2 log  3 seats  4 run  5 cancelled  6 quarantined
-- ARGV  1 run_id  2 position of the purchase  3 its seq  4 its quantity  5 its runs
--       6 its epoch if SQL has not got it yet: then only this epoch's log tells of it; or ''
-- Reply {'CANCELLED'} | {'ALREADY'} (nothing changes) | {'MISSING'} | {'UNTRUSTED'}
-- Invariant: a purchase's seats return once, however often it is cancelled and whoever has them since.
local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
if ARGV[6] ~= '' and ARGV[6] ~= inventory.epoch then
  return {'UNTRUSTED'}
end
if redis.call('SISMEMBER', KEYS[5], ARGV[3]) == 1 then
  return {'ALREADY'}
end

local at = now_ms()
inventory.sold = inventory.sold - ARGV[4]
local change = '{"kind":"cancelled","at":%d,"purchase":"%s","quantity":%d,"left":%d,"runs":"%s"}'
local _, seq, link = append(inventory, change:format(at, ARGV[2], ARGV[4], seats_left(inventory), ARGV[5]))

redis.call('SADD', KEYS[5], ARGV[3])
redis.call('SREM', KEYS[6], ARGV[3])
redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'sold', inventory.sold, 'updated', at)
mark(KEYS[3], KEYS[4], parse_runs(ARGV[5]), 'a')
return {'CANCELLED'}
