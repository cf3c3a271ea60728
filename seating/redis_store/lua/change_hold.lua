-- Changes which seats a hold has: takes some in and gives some back, all or nothing. It lasts as long as before.
-- Uses prelude.lua
-- Uses offer.lua
-- Uses areas.lua
-- Uses seat_map.lua
-- Uses damage.lua
-- Uses backlog.lua
-- Uses hold_keys.lua
-- Uses acceptance.lua
-- Uses holds.lua
-- Uses limits.lua
-- Uses buyers.lua
-- KEYS  1 inventory  2 log  3 seats  4 run  5 hold  6 holds  7 holders  8 damaged  9 idempotency  10 notes
--       11 spots  12 buyers  13 limit, if there is one
-- ARGV  1 caller  2 id of the hold  3 seats to add, as runs  4 seats to remove, as runs  5 the most seats of a hold
--       6 backlog limit, in entries  7 backlog limit, in percent of maxmemory
--       8… rate limit, if there is one: 'window' or 'bucket', its numbers
-- Reply {'CHANGED', and what `tell` says of the hold} (also when it has just these seats: nothing changes)
--       | {'HOLD_EXPIRED'} | {'HOLD_SIZE', seats that it would have} | {'NOT_ON_SALE', state} (where it takes some in)
--       | {'SEAT_UNAVAILABLE', those that are not, as runs} | {'TOO_MANY_HELD', seats that a holder holds}
--       | {'BUYER_LIMIT', how many more its buyer may have}
--       | {'BACKLOG_FULL'} | any refusal of load_inventory
--       | {'RATE_LIMITED'}, and, where the rate limit was asked, its verdict behind any of these
-- Invariant: a seat that is to be added and is there, or to be removed and is not, stays as it is: a repetition is safe.
local hold_id, added, removed, most_seats, most_entries, most_percent = unpack(ARGV, 2, 7)

-- Each seat of the runs as a run of its own.
local function seats_of(runs)
  local seats = {}
  for _, run in ipairs(parse_runs(runs)) do
    for place = run[2], run[2] + run[3] - 1 do
      seats[#seats + 1] = {run[1], place, 1}
    end
  end
  return seats
end

-- Those of `seats` that are not among `others`, and those that are.
local function split(seats, others)
  local is_among, outside, inside = {}, {}, {}
  for _, seat in ipairs(others) do
    is_among[seat[1] .. ':' .. seat[2]] = true
  end
  for _, seat in ipairs(seats) do
    local part = is_among[seat[1] .. ':' .. seat[2]] and inside or outside
    part[#part + 1] = seat
  end
  return outside, inside
end

-- Seats as runs, in the plan's order, neighbours in one.
local function runs_of(seats)
  table.sort(seats, function(one, other)
    return one[1] < other[1] or one[1] == other[1] and one[2] < other[2]
  end)
  local runs = {}
  for _, seat in ipairs(seats) do
    local last = runs[#runs]
    if last and last[1] == seat[1] and last[2] + last[3] == seat[2] then
      last[3] = last[3] + 1
    else
      runs[#runs + 1] = {seat[1], seat[2], 1}
    end
  end
  for i, run in ipairs(runs) do
    runs[i] = ('%d:%d-%d'):format(run[1], run[2], run[3])
  end
  return table.concat(runs, ',')
end

local inventory, refusal = load_inventory('state', 'capacity', 'sold', 'held', 'blocked', 'persisted', 'checked')
if not inventory then
  return refusal
end
local at = now_ms()
local answer, limited = measure(KEYS[13], 8, at)
refusal = limited or added ~= '' and not_accepting(inventory, at, most_entries, most_percent)
  or backlog_full(inventory, most_entries, most_percent)
if refusal then
  return answer(refusal)
end

local joining, leaving, more
local hold
hold, refusal = after_releases(inventory, at, function()
  local found = find_hold(hold_id, at)
  if not found then
    return nil, {'HOLD_EXPIRED'}
  end
  local seats = seats_of(found.runs)
  joining = split(seats_of(added), seats)
  local staying
  staying, leaving = split(seats, seats_of(removed))
  more = #joining - #leaving
  local quantity = found.quantity + more
  if quantity < 1 or quantity > tonumber(most_seats) then
    return nil, {'HOLD_SIZE', quantity}
  end
  local too_much = more > 0 and (too_many(inventory, quantity) or too_many_held(found.holders, more)
    or beyond_limit(inventory, KEYS[12], found.holders, more))
  if too_much then
    return nil, too_much
  end
  local taken = not_available(runs_of(joining))
  if taken ~= '' then
    return nil, {'SEAT_UNAVAILABLE', taken}
  end
  for _, seat in ipairs(joining) do
    staying[#staying + 1] = seat
  end
  if #joining + #leaving > 0 then
    found.quantity, found.runs = quantity, runs_of(staying)
  end
  return found
end)
if refusal then
  return answer(refusal)
end
if #joining + #leaving == 0 then
  return answer(tell('CHANGED', inventory, hold, at))
end

inventory.held = inventory.held + more
added, removed = runs_of(joining), runs_of(leaving)
local off_sale, give_back = returned(inventory, removed, 'h')
local change = change_json('hold_changed', at,
  '"hold":"%s","quantity":%d,"left":%d,"runs":"%s","added":"%s","removed":"%s"%s',
  hold.id, hold.quantity, seats_left(inventory), hold.runs, added, removed, off_sale)
commit(inventory, at, change, 'held', inventory.held, 'blocked', inventory.blocked)

keep_hold(hold)
add_to_counts(hold.holders, more)
give_back()
mark(added, 'a', 'h')
return answer(tell('CHANGED', inventory, hold, at))
