#!lua flags=no-writes
-- An inventory's fields as of one moment, and how many seats are held by nobody any more and can be had.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses hold_keys.lua
-- Uses holds.lua
-- Uses claims.lua
-- Uses looking.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller  2… names of fields
-- Reply {seats of holds that are due, but for those off sale, and what looking.lua has}
local inventory = {offer = redis.call('HGET', KEYS[1], 'offer') or nil}
local seats = 0
for _, hold in ipairs(lapsed_holds(now_ms())) do
  seats = seats + returning(inventory, hold)
end
local values = look()
return {seats, unpack(values, 1, #ARGV + 3)}
