-- Which seats a buyer gets, shared by the scripts that sell and hold. They have KEYS[11] spots: in field m<block>, of
-- each stretch that is not in the middle of its row ';', where it begins, from 0, ':' and how many halves of a seat the
-- row's middle is from its own.

-- The first stretch of the map that has `quantity` neighbours, which the block has, and where it begins, from 1.
local function stretch_with(map, quantity)
  local place = map:find(('a'):rep(quantity), 1, true)
  local start = place + 2 - (map:sub(1, place):reverse():find('|', 1, true) or place + 1)
  return map:sub(start, (map:find('|', place, true) or #map + 1) - 1), start
end

-- How many seats the middle of the row is from that of the block's stretch that begins at `start`; 0 where that is not
-- known.
local function to_middle_of_row(block, start)
  local to_middles = redis.pcall('HGET', KEYS[11], 'm' .. block)
  if type(to_middles) ~= 'string' then  -- There is none, or the key is damaged: the party sits as if there was none.
    return 0
  end
  local _, last = to_middles:find(';' .. start - 1 .. ':', 1, true)
  return last and (to_middles:match('^%-?%d+', last + 1) or 0) / 2 or 0
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
-- where they lose no room for others like them and leave no single seat, nearest the middle of the row, then leftmost.
local function best_place(block, map, quantity)
  local stretch, start = stretch_with(map, quantity)
  local middle = (#stretch - quantity) / 2 + 1 + to_middle_of_row(block, start)
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
  return block .. ':' .. best_place(block, map, quantity) - 1 .. '-' .. quantity
end

-- The best seats for `quantity`, as runs: together, or else split; nil if they cannot be had as wished.
local function best_available(inventory, quantity, wish)
  local longest_runs = redis.call('GET', KEYS[4])
  local runs, repaired = neighbours(inventory, longest_runs, quantity, wish.ranges or WHOLE_HALL)
  if not runs and not repaired and not wish.together then
    runs, repaired = split(inventory, longest_runs, quantity, wish)
  end
  if repaired then
    return best_available(inventory, quantity, wish)
  end
  return runs
end

-- How many seats or places of `ranges` are available; it stops counting at `enough`.
local function available_in(ranges, enough)
  local seats, longest_runs = 0, redis.call('GET', KEYS[4])
  local function count(block)
    local map = map_of(block)
    seats = seats + (is_area(map) and places(map, 'a') or select(2, map:gsub('a', '')))
  end
  if longest_runs then
    for block in blocks_with(longest_runs, ranges, 1, 10) do
      count(block)
      if seats >= enough then
        break
      end
    end
  else
    for _, range in ipairs(ranges) do
      for area = range.first, range.last do
        count(area)
      end
    end
  end
  return seats
end

-- The most seats or places that one buyer can have who wishes so; it stops counting at `enough`.
local function most_available(wish, enough)
  local most = 0
  for _, ranges in ipairs(groups_of(wish.ranges, wish.mix)) do
    most = math.max(most, available_in(ranges, enough))
  end
  return most
end

-- Whether the event has a hall: maps and `run`. Areas have only maps, general admission without categories has neither.
-- A hall that has lost its `run` gets it again.
local function is_seated(wish)
  local kept = redis.call('EXISTS', KEYS[3], KEYS[4], KEYS[4])  -- It counts a key as often as it is named.
  if kept ~= 1 then
    return kept > 1
  end
  local first = wish.ranges and wish.ranges[1]
  if wish.ranges and not (first and map_of(first.first):find('^[abhorsx|]+$')) then
    return false
  end
  restore_longest_runs()
  return true
end

-- The seats to give, as runs: those given, if all are available, or else the best. Or nil and the refusal to reply. A
-- wish is as read_wish has it; with `also_off_sale`, given seats may be of a category off sale.
local function choose_seats(inventory, quantity, given, wish)
  if given ~= '' then
    local taken = not_available(given, wish.also_off_sale)
    if taken ~= '' and is_area(map_of(parse_runs(given)[1][1])) then
      return nil, {'SOLD_OUT', seats_left(inventory)}
    elseif taken ~= '' then
      return nil, {'SEAT_UNAVAILABLE', taken}
    end
    return given
  end
  local left = seats_left(inventory)
  if left < quantity then
    return nil, {'SOLD_OUT', left}
  end
  local seated = is_seated(wish)
  local best = seated and best_available or best_places
  local runs = best(inventory, quantity, wish)
  if runs then
    return runs
  end
  local most = wish.ranges and most_available(wish, quantity) or left
  if most < quantity then
    return nil, {'SOLD_OUT', most}
  elseif wish.together then
    return nil, {'NOT_TOGETHER', left}
  elseif seated then  -- Enough seats there are, so `run` does not say what the maps do.
    restore_longest_runs()
    runs = best_available(inventory, quantity, wish)
  end
  if not runs then
    return nil, {'SOLD_OUT', most}
  end
  return runs
end
