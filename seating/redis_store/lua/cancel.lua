#!lua flags=allow-oom
-- Takes a purchase back: its seats return, and its idempotency record stays.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 cancelled: position of the purchase to at|seats left
--       6 quarantine: it waits there no longer if it was poison
-- ARGV  1 caller  2 position of the purchase  3 its quantity  4 its runs
--       5 its epoch if SQL has not got it yet: then only this term's log tells of it; or ''
--       6 who asks for it, as a member of a JSON object
-- Reply {'CANCELLED', position} | {'ALREADY', position} (nothing changes) | any refusal of load_inventory
-- Invariant: a purchase's seats return once, however often it is cancelled and whoever has them since.
local purchase, quantity, runs, epoch, by = unpack(ARGV, 2)

local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
if epoch ~= '' and epoch ~= inventory.epoch then
  return {'UNTRUSTED', ''}
end
if redis.call('HEXISTS', KEYS[5], purchase) == 1 then
  return {'ALREADY', inventory.epoch .. '-' .. inventory.seq}
end

local at = now_ms()
inventory.sold = inventory.sold - quantity
local off_sale, give_back = returned(inventory, runs, 's')
local left = seats_left(inventory)
local change = change_json('cancelled', at, '"purchase":"%s","quantity":%d,"left":%d,"runs":"%s",%s%s',
  purchase, quantity, left, runs, by, off_sale)
local position = commit(inventory, at, change, 'sold', inventory.sold, 'blocked', inventory.blocked)

redis.call('HDEL', KEYS[6], purchase)
redis.call('HSET', KEYS[5], purchase, ('%d|%d'):format(at, left))
give_back()
return {'CANCELLED', position}
