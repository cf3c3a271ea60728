-- Sets one seat as the organiser wants it, unless a buyer has it.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses hold_keys.lua
-- Uses holding.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller  2 the seat, as a run  3 its new status: a available, r blocked, b sold at the box office, o held
--       4 who asks for it, as a member of a JSON object
-- Reply {'SET', position} (also when it was so already: nothing changes) | {'SEAT_SOLD'} | {'SEAT_HELD'}
--       | {'SEAT_UNAVAILABLE', the seat} (its map cannot be read) | any refusal of load_inventory
-- A seat that is available again is off sale (x), and counts as blocked, where its category is.
-- Invariant: sold, held and blocked count the seats of their statuses.
local COUNTED = {b = 'sold', o = 'held', r = 'blocked', x = 'blocked'}
local REFUSED = {s = 'SEAT_SOLD', h = 'SEAT_HELD'}
local KNOWN = 'aborx'
local seat, status, by = unpack(ARGV, 2)

local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked')
if not inventory then
  return refusal
end
local at = now_ms()
local run = parse_runs(seat)[1]
local was
was, refusal = after_releases(inventory, at, function()
  local now = map_of(run[1]):sub(run[2] + 1, run[2] + 1)
  if REFUSED[now] then
    return nil, {REFUSED[now]}
  end
  if not KNOWN:find(now, 1, true) or now == '' then
    return nil, {'SEAT_UNAVAILABLE', seat}
  end
  return now
end)
if refusal then
  return refusal
end
if status == 'a' then
  status = status_returned(inventory, run)
end
if was == status then
  return {'SET', inventory.epoch .. '-' .. inventory.seq}
end

if COUNTED[was] then
  inventory[COUNTED[was]] = inventory[COUNTED[was]] - 1
end
if COUNTED[status] then
  inventory[COUNTED[status]] = inventory[COUNTED[status]] + 1
end
local change = change_json('seat_set', at, '"was":"%s","status":"%s","left":%d,"runs":"%s",%s',
  was, status, seats_left(inventory), seat, by)
local position = commit(inventory, at, change,
  'sold', inventory.sold, 'held', inventory.held, 'blocked', inventory.blocked)
mark(seat, was, status)
return {'SET', position}
