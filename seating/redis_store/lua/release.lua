#!lua flags=allow-oom
-- Ends a hold before its time: its seats return.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses hold_keys.lua
-- Uses holds.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller  2 id of the hold
-- Reply {'RELEASED', position} | {'HOLD_EXPIRED'} | any refusal of load_inventory
local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
local at = now_ms()
release_due(inventory, at)
local hold = find_hold(ARGV[2], at)
if not hold then
  return {'HOLD_EXPIRED'}
end
release(inventory, hold, at, false)
return {'RELEASED', inventory.epoch .. '-' .. inventory.seq}
