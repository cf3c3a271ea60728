#!lua flags=no-writes
-- An inventory's fields as of one moment, and how many seats are held by nobody any more.
-- Uses prelude.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses hold_keys.lua
-- Uses holding.lua
-- Uses looking.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller  2… names of fields
-- Reply {seats of holds that are due, and what looking.lua has}
local seats = 0
for _, hold in ipairs(lapsed_holds(now_ms())) do
  seats = seats + hold.quantity
end
local values = look()
return {seats, unpack(values, 1, #ARGV + 2)}
