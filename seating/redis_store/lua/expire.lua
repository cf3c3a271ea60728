#!lua flags=allow-oom
-- Releases holds that are due, whether or not anybody wants their seats.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses hold_keys.lua
-- Uses holds.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller
-- Reply {'EXPIRED', how many; more may be due if it is as many as one call releases} | any refusal of load_inventory
local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
return {'EXPIRED', release_due(inventory, now_ms())}
