#!lua flags=allow-oom
-- Takes a purchase back: its seats return, and its idempotency record stays.
-- KEYS  1 inventory  2 log  3 seats  4 run  5 cancelled: position of the purchase to at|seats left
--       6 quarantine: it waits there no longer if it was poison
-- ARGV  1 caller  2 position of the purchase  3 its quantity  4 its runs
--       5 its epoch if SQL has not got it yet: then only this term's log tells of it; or ''
-- Reply {'CANCELLED', position} | {'ALREADY', position} (nothing changes) | any refusal of load_inventory
-- Invariant: a purchase's seats return once, however often it is cancelled and whoever has them since.
local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
if ARGV[5] ~= '' and ARGV[5] ~= inventory.epoch then
  return {'UNTRUSTED', ''}
end
if redis.call('HEXISTS', KEYS[5], ARGV[2]) == 1 then
  return {'ALREADY', inventory.epoch .. '-' .. inventory.seq}
end

local at = now_ms()
inventory.sold = inventory.sold - ARGV[3]
local left = seats_left(inventory)
local change = '{"kind":"cancelled","at":%d,"purchase":"%s","quantity":%d,"left":%d,"runs":"%s"}'
local position, seq, link = append(inventory, change:format(at, ARGV[2], ARGV[3], left, ARGV[4]))

redis.call('HDEL', KEYS[6], ARGV[2])
redis.call('HSET', KEYS[5], ARGV[2], ('%d|%d'):format(at, left))
redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'sold', inventory.sold, 'updated', at)
mark(KEYS[3], KEYS[4], parse_runs(ARGV[4]), 'a')
return {'CANCELLED', position}
