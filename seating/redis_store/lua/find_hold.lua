#!lua flags=no-writes
-- A hold as it is now.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses hold_keys.lua
-- Uses holds.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller  2 id of the hold
-- Reply {'FOUND', and what `tell` says of the hold} | {'HOLD_EXPIRED'} | any refusal of read_inventory
local inventory, refusal = read_inventory()
if not inventory then
  return refusal
end
local at = now_ms()
local hold = find_hold(ARGV[2], at)
return hold and tell('FOUND', inventory, hold, at) or {'HOLD_EXPIRED'}
