-- Sets seats, or places of areas, as the organiser wants them, all or none: none that a buyer has.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses hold_keys.lua
-- Uses holds.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
-- ARGV  1 caller  2 the seats, as runs in the plan's order
--       3 their new status: a available, r blocked, b sold at the box office, o held
--       4 who asks for it, as a member of a JSON object  5 of places: what they are now, a, r, b or o
--       6 of an event without seats and categories: how many places; or ''
-- Reply {'SET', position, how many have changed, those that are off sale then, as runs} (of none, nothing is logged)
--       | {'SEAT_SOLD', those that buyers own or hold, as runs} | {'SEAT_HELD', those that buyers hold, as runs}
--       | {'SEAT_UNAVAILABLE', those whose map cannot be read, as runs} | {'SOLD_OUT', places that there are of that status}
--       | any refusal of load_inventory
-- Invariant: sold, held and blocked count the seats of their statuses. Where no map tells which of these places are the
-- organiser's, the inventory's field `organised` does: b3o0r12.
local COUNTED = {b = 'sold', o = 'held', r = 'blocked', x = 'blocked'}
local KNOWN = 'aborx'
local seats, status, by, places_are, quantity = unpack(ARGV, 2)

local inventory, refusal = load_inventory('capacity', 'sold', 'held', 'blocked', 'organised')
if not inventory then
  return refusal
end
local organised = inventory.organised or 'b0o0r0'

-- The seats in parts of one status each, in the plan's order, and the runs of each status; or nil and the refusal.
local function parts_by_status()
  local parts, runs = {}, {}
  local function add(was, block, start, length)
    local part = {was = was, block = block, run = ('%d:%d-%d'):format(block, start, length), length = length}
    parts[#parts + 1] = part
    runs[was] = runs[was] or {}
    table.insert(runs[was], part.run)
  end
  if quantity ~= '' then
    local there = places_are == 'a' and seats_left(inventory) or places(organised, places_are)
    if there < tonumber(quantity) then
      return nil, {'SOLD_OUT', there}
    end
    parts[1] = {was = places_are, run = '', length = tonumber(quantity)}
  end
  for _, run in ipairs(parse_runs(seats)) do
    local block, place, last = run[1], run[2] + 1, run[2] + run[3]
    local map = map_of(block)
    if is_area(map) then
      local was = places_are == 'a' and status_returned(inventory, run) or places_are
      if places(map, was) < run[3] then
        return nil, {'SOLD_OUT', places(map, was)}
      end
      add(was, block, run[2], run[3])
      place = last + 1
    end
    while place <= last do
      local was, length = map:byte(place), 1
      while place + length <= last and map:byte(place + length) == was do
        length = length + 1
      end
      add(was and string.char(was) or '', block, place - 1, length)
      place = place + length
    end
  end
  return parts, runs
end

local at = now_ms()
local parts
parts, refusal = after_releases(inventory, at, function()
  local found, runs = parts_by_status()
  if not found then
    return nil, runs
  end
  if runs.s or runs.h then
    local taken = {}
    for _, part in ipairs(found) do
      taken[#taken + 1] = (part.was == 's' or part.was == 'h') and part.run or nil
    end
    return nil, {runs.s and 'SEAT_SOLD' or 'SEAT_HELD', table.concat(taken, ',')}
  end
  for was, unreadable in pairs(runs) do
    if was == '' or not KNOWN:find(was, 1, true) then
      return nil, {'SEAT_UNAVAILABLE', table.concat(unreadable, ',')}
    end
  end
  return found
end)
if refusal then
  return refusal
end

-- What changes, the parts that were one thing and become one thing together.
local changed, runs, was, off_sale, stays_off, marks = 0, {}, {}, {}, {}, {}
for _, part in ipairs(parts) do
  local becomes = status == 'a' and status_returned(inventory, {part.block}) or status
  if becomes == 'x' then
    stays_off[#stays_off + 1] = part.run
  end
  if part.was ~= becomes then
    changed, runs[#runs + 1], was[#was + 1] = changed + part.length, part.run, part.was
    for letter, length in pairs({[part.was] = -part.length, [becomes] = part.length}) do
      local count = COUNTED[letter]
      if count then
        inventory[count] = inventory[count] + length
      end
    end
    if becomes == 'x' then
      off_sale[#off_sale + 1] = part.run
    end
    local move = part.was .. becomes
    marks[move] = marks[move] or {}
    table.insert(marks[move], part.run)
  end
end
if changed == 0 then
  return {'SET', inventory.epoch .. '-' .. inventory.seq, 0, table.concat(stays_off, ',')}
end

local fields = {'sold', inventory.sold, 'held', inventory.held, 'blocked', inventory.blocked}
local number = ''
if quantity ~= '' then
  number = ('"quantity":%d,'):format(quantity)
  fields[7], fields[8] = 'organised', moved(organised, places_are, status, tonumber(quantity))
end
local change = change_json('seat_set', at, '"was":"%s","status":"%s","left":%d,"runs":"%s",%s%s%s',
  table.concat(was), status, seats_left(inventory), table.concat(runs, ','), number, by,
  #off_sale > 0 and (',"off_sale":"%s"'):format(table.concat(off_sale, ',')) or '')
local position = commit(inventory, at, change, unpack(fields))
for move, moved_runs in pairs(marks) do
  mark(table.concat(moved_runs, ','), move:sub(1, 1), move:sub(2, 2))
end
return {'SET', position, changed, table.concat(stays_off, ',')}
