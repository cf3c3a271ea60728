#!lua flags=no-writes
-- What can be bought now of each category. What holds have that are due counts as free.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses holds.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged
-- ARGV  1 caller
-- Reply {'LEFT', {category, seats, category, seats …}} | any refusal of read_inventory
local inventory, refusal = read_inventory()
if not inventory then
  return refusal
end
local left = {}
local function add(block, seats)
  local number = tonumber(block)
  local part = number and area_of(offered(inventory), number)
  if part then
    left[part.category] = (left[part.category] or 0) + seats
  end
end

local maps = redis.call('HGETALL', KEYS[3])
for i = 1, #maps, 2 do
  local map = maps[i + 1]
  add(maps[i], is_area(map) and places(map, 'a') or select(2, map:gsub('a', '')))
end
for _, hold in ipairs(lapsed_holds(now_ms())) do
  for _, run in ipairs(parse_runs(hold.runs)) do
    add(run[1], status_returned(inventory, run) == 'a' and run[3] or 0)
  end
end

local reply = {}
for category, seats in pairs(left) do
  reply[#reply + 1] = category
  reply[#reply + 1] = seats
end
return {'LEFT', reply}
