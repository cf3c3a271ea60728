-- Which seats a buyer gets, shared by the scripts that sell and hold.
-- They have KEYS[3] seats, KEYS[4] run and KEYS[8] damaged.

-- The first row of the map that has `quantity` neighbours, which the block has, and where the row begins, from 1.
local function row_with(map, quantity)
  local place = map:find(('a'):rep(quantity), 1, true)
  local start = #map + 2 - (map:reverse():find('|', #map - place + 2, true) or #map + 1)
  return map:sub(start, (map:find('|', place, true) or #map + 1) - 1), start
end

-- Whether `quantity` seats from `place` on leave a single seat beside them.
local function leaves_single(row, place, quantity)
  local next_place = place + quantity
  return row:byte(place - 1) == AVAILABLE and row:byte(place - 2) ~= AVAILABLE
    or row:byte(next_place) == AVAILABLE and row:byte(next_place + 1) ~= AVAILABLE
end

-- Where in the map (from 1) to seat `quantity` neighbours, which the block has: in its first row that has them,
-- where they leave no single seat beside them, nearest the row's middle, then leftmost.
local function best_place(map, quantity)
  local row, start = row_with(map, quantity)
  local wanted = ('a'):rep(quantity)
  local middle = (#row - quantity) / 2 + 1
  local left, right = math.floor(middle), math.ceil(middle)
  local leaving_single
  while left > 0 do
    for place = left, right, math.max(right - left, 1) do
      if row:sub(place, place + quantity - 1) == wanted then
        if not leaves_single(row, place, quantity) then
          return start + place - 1
        end
        leaving_single = leaving_single or place
      end
    end
    left, right = left - 1, right + 1
  end
  return start + leaving_single - 1
end

-- Writes `run` anew from the maps, without the blocks that were put aside.
local function restore_longest_runs()
  put_aside('run', redis.call('GET', KEYS[4]))
  redis.call('SET', KEYS[4], '')
  local maps = redis.call('HGETALL', KEYS[3])
  for i = 1, #maps, 2 do
    local block = maps[i]
    if block:find('^%d%d?%d?%d?%d?$') and redis.call('HEXISTS', KEYS[8], 'block ' .. block) == 0 then
      redis.call('SETRANGE', KEYS[4], block, longest_run(maps[i + 1]))
    end
  end
end

-- Whether the maps have as many seats as the event, all of them of a known status.
local function maps_add_up(inventory)
  local seats = 0
  for _, map in ipairs(redis.call('HVALS', KEYS[3])) do
    local _, breaks = map:gsub('|', '')
    if map:find('[^abhorsx|]') then
      return false
    end
    seats = seats + #map - breaks
  end
  return seats == tonumber(inventory.capacity)
end

-- The first block of `ranges` with a run of `length`, from 1; nil if there is none.
local function first_block(longest_runs, ranges, length)
  local pattern = '[' .. string.char(48 + length) .. '-:]'
  for _, range in ipairs(ranges) do
    local block = longest_runs:find(pattern, range.first + 1)
    if block and block <= range.last + 1 then
      return block
    end
  end
  return nil
end

-- The best seats for `quantity` within `ranges`, as runs: together, or else the longest part that a row has, and so on.
-- nil if they cannot be had together. It reads only the blocks that it takes seats of: `run` has a character a block,
-- '0' to '9' and ':' for 10, so that one search finds the first block that can serve.
local function best_available(inventory, quantity, together, ranges)
  local longest_runs = redis.call('GET', KEYS[4])
  local maps, parts, remaining, part = {}, {}, quantity, quantity
  while remaining > 0 do
    local block = first_block(longest_runs, ranges, part)
    if block then
      local map = maps[block] or map_of(block - 1)
      if longest_run(map) ~= longest_runs:sub(block, block) then
        if maps_add_up(inventory) then
          restore_longest_runs()
          return best_available(inventory, quantity, together, ranges)
        end
        -- Nothing of this block is sold any more.
        put_aside('block ' .. (block - 1), map)
        redis.call('SETRANGE', KEYS[4], block - 1, '0')
        map = nil
      end
      if map then
        local place = best_place(map, part)
        parts[#parts + 1] = (block - 1) .. ':' .. (place - 1) .. '-' .. part
        remaining = remaining - part
        if remaining == 0 then
          break
        end
        map = map:sub(1, place - 1) .. ('x'):rep(part) .. map:sub(place + part)
        part = math.min(part, remaining)
      end
      maps[block] = map
      longest_runs = longest_runs:sub(1, block - 1) .. longest_run(map or '') .. longest_runs:sub(block + 1)
    elseif together or part == 1 then
      return nil
    else
      part = part - 1
    end
  end
  return table.concat(parts, ',')
end

-- The ranges of one category each, in the order in which the categories are searched first.
local function by_category(ranges)
  local groups, of_category = {}, {}
  for _, range in ipairs(ranges) do
    local category = range.category or 0
    if not of_category[category] then
      of_category[category] = {}
      groups[#groups + 1] = of_category[category]
    end
    table.insert(of_category[category], range)
  end
  return groups
end

-- The best seats for a wish: neighbours, or else a split that keeps to one category unless `mix`.
local function best_of(inventory, quantity, wish)
  local ranges = wish.ranges or {{first = 0, last = 1e9}}
  local runs = best_available(inventory, quantity, wish.together or not wish.mix, ranges)
  if runs or wish.together or wish.mix then
    return runs
  end
  for _, group in ipairs(by_category(ranges)) do
    runs = best_available(inventory, quantity, false, group)
    if runs then
      return runs
    end
  end
  return nil
end

-- How many seats of `ranges` are available. It reads only the blocks that have some.
local function available_in(ranges, longest_runs)
  local seats = 0
  for _, range in ipairs(ranges) do
    local block = longest_runs and longest_runs:find('[1-:]', range.first + 1) or range.first + 1
    while block and block <= range.last + 1 do
      local map = map_of(block - 1)
      seats = seats + (is_area(map) and places(map, 'a') or select(2, map:gsub('a', '')))
      block = longest_runs and longest_runs:find('[1-:]', block + 1)
    end
  end
  return seats
end

-- The most seats that one buyer can have who wishes so.
local function most_available(wish)
  local most, longest_runs = 0, redis.call('GET', KEYS[4])
  for _, group in ipairs(wish.mix and {wish.ranges} or by_category(wish.ranges)) do
    most = math.max(most, available_in(group, longest_runs))
  end
  return most
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
  local seated = redis.call('EXISTS', KEYS[4]) == 1
  local best = seated and best_of or best_places
  local runs = best(inventory, quantity, wish)
  if runs then
    return runs
  end
  local most = wish.ranges and most_available(wish) or left
  if most < quantity then
    return nil, {'SOLD_OUT', most}
  elseif wish.together then
    return nil, {'NOT_TOGETHER', left}
  elseif seated then  -- Single seats there are, so `run` does not say what the maps do.
    restore_longest_runs()
    runs = best_of(inventory, quantity, wish)
  end
  if not runs then
    return nil, {'SOLD_OUT', left}
  end
  return runs
end
