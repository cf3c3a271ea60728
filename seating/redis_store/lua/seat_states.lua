#!lua flags=no-writes
-- All seats of an event as of one position. What is held by holds that are due has returned.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses hold_keys.lua
-- Uses holds.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller
-- Reply {'STATES', position, link of the entry there, state, seats left, those of them that holds have which are due,
--       {block, map, block, map …} (in general admission areas and their counts, none without categories),
--       bounds as acceptance.lua reads them ('' for an event without an offer), ms since 1970}
--       | any refusal of read_inventory
local inventory, refusal = read_inventory('state', 'capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
local maps, lapsed, at = redis.call('HGETALL', KEYS[3]), 0, now_ms()
local place = {}
for i = 1, #maps, 2 do
  place[maps[i]] = i + 1
end
for _, hold in ipairs(lapsed_holds(at)) do
  lapsed = lapsed + returning(inventory, hold)
  for _, run in ipairs(parse_runs(hold.runs)) do
    local i = place[tostring(run[1])]
    local status = status_returned(inventory, run)
    if is_area(maps[i]) then
      maps[i] = moved(maps[i], 'h', status, run[3])
    else
      maps[i] = maps[i]:sub(1, run[2]) .. status:rep(run[3]) .. maps[i]:sub(run[2] + run[3] + 1)
    end
  end
end
local position = inventory.epoch .. '-' .. inventory.seq
local bounds = inventory.bounds or (redis.call('HEXISTS', KEYS[1], 'offered') == 1 and ':::' or '')
return {'STATES', position, inventory.chain, inventory.state, seats_left(inventory) + lapsed, lapsed, maps, bounds, at}
