-- Which seats a buyer gets, shared by the scripts that sell and hold.

-- The first stretch of the map that has `quantity` neighbours, which the block has, and where it begins, from 1.
local function stretch_with(map, quantity)
  local place = map:find(('a'):rep(quantity), 1, true)
  local start = place + 2 - (map:sub(1, place):reverse():find('|', 1, true) or place + 1)
  return map:sub(start, (map:find('|', place, true) or #map + 1) - 1), start
end

-- Of a run of `free` seats, how many to leave before a party: the number nearest to `wanted`, then the lowest, that
-- leaves the run as much room for parties of this size as it had, and no single seat. Both can be had, with the party
-- at the run's end, unless there is one seat more than the party: then, and only then, one is left single.
local function seats_before(free, quantity, wanted)
  local most, spare = free - quantity, free % quantity
  wanted = math.max(0, math.min(most, wanted))
  local low, high = math.floor(wanted), math.ceil(wanted)
  while true do
    for before = low, high, math.max(high - low, 1) do
      local is_whole = before >= 0 and before <= most and before % quantity <= spare
      if is_whole and (most == 1 or before ~= 1 and before ~= most - 1) then
        return before
      end
    end
    low, high = low - 1, high + 1
  end
end

-- Where in the map (from 1) to seat `quantity` neighbours, which the block has: in its first stretch that has them,
-- where they lose no room for others like them and leave no single seat, nearest the middle, then leftmost.
local function best_place(map, quantity)
  local stretch, start = stretch_with(map, quantity)
  local middle = (#stretch - quantity) / 2 + 1
  local best, best_away, leaves_single
  local first, last = stretch:find('a+')
  while first do
    local free = last - first + 1
    if free >= quantity then
      local place = first + seats_before(free, quantity, middle - first)
      local away, single = math.abs(place - middle), free == quantity + 1
      if not best or leaves_single and not single or leaves_single == single and away < best_away then
        best, best_away, leaves_single = place, away, single
      end
    end
    first, last = stretch:find('a+', last + 1)
  end
  return start + best - 1
end

-- The best neighbours, as a run: in the first block that has them. nil if none has, or where a map had to be put
-- right, and then true. It reads no other map.
local function neighbours(inventory, longest_runs, quantity, ranges)
  local block = blocks_with(longest_runs, ranges, quantity, 10)()
  if not block then
    return nil
  end
  local map = map_as_searched(inventory, longest_runs, block)
  if not map then
    return nil, true
  end
  return block .. ':' .. best_place(map, quantity) - 1 .. '-' .. quantity
end

-- The best seats for `quantity`, as runs: together, or else split. '' in general admission, nil if they cannot be had
-- as wished.
local function best_available(inventory, quantity, wish)
  local longest_runs = redis.call('GET', KEYS[4])
  if not longest_runs then
    return ''
  end
  local runs, repaired = neighbours(inventory, longest_runs, quantity, wish.ranges or WHOLE_HALL)
  if not runs and not repaired and not wish.together then
    runs, repaired = split(inventory, longest_runs, quantity, wish)
  end
  if repaired then
    return best_available(inventory, quantity, wish)
  end
  return runs
end

-- How many seats are available in the ranges; it stops counting at `enough`.
local function seats_in(ranges, enough)
  local seats = 0
  for block in blocks_with(redis.call('GET', KEYS[4]), ranges, 1, 10) do
    local _, available = map_of(block):gsub('a', '')
    seats = seats + available
    if seats >= enough then
      break
    end
  end
  return seats
end

-- The seats to give, as runs: those given, if all are available, or else the best. Or nil and the refusal to reply.
-- A wish is {together, mix, ranges}: whether a split is refused, whether it may mix categories, and which ranges are
-- searched, in order; nil for the whole hall.
local function choose_seats(inventory, quantity, given, wish)
  if given ~= '' then
    local taken = not_available(given)
    if taken ~= '' then
      return nil, {'SEAT_UNAVAILABLE', taken}
    end
    return given
  end
  local left = seats_left(inventory)
  if left < quantity then
    return nil, {'SOLD_OUT', left}
  end
  local runs = best_available(inventory, quantity, wish)
  if not runs and not wish.together and not wish.ranges then
    restore_longest_runs()  -- Enough seats there are, so `run` does not say what the maps do.
    runs = best_available(inventory, quantity, wish)
  end
  if runs then
    return runs
  end
  local found = wish.ranges and seats_in(wish.ranges, quantity) or left
  if found < quantity or not (wish.together or wish.ranges) then
    return nil, {'SOLD_OUT', found}
  end
  return nil, {'NOT_TOGETHER', left}
end
