-- Maps of a block's seats, a character a seat and '|' between rows, shared by the scripts that change them.
-- They have KEYS[3] seats and KEYS[4] run.
-- A run is {block, start, length}, all numbers, start counted from 0 in characters of the block's map.

local AVAILABLE, ROW_BREAK, OFF_SALE = ('a|x'):byte(1, 3)

local function seats_left(inventory)
  return inventory.capacity - inventory.sold - inventory.held - inventory.blocked
end

local function parse_runs(text)
  local runs = {}
  for block, start, length in text:gmatch('(%d+):(%d+)-(%d+)') do
    runs[#runs + 1] = {tonumber(block), tonumber(start), tonumber(length)}
  end
  return runs
end

-- The longest run of available seats in a map, up to 10, as a digit or ':', the character after '9'.
local function longest_run(map)
  local longest = 10
  while longest > 0 and not map:find(('a'):rep(longest), 1, true) do
    longest = longest - 1
  end
  return string.char(48 + longest)
end

local read_maps = {}

-- The block's map, read once; '' where there is none.
local function map_of(block)
  read_maps[block] = read_maps[block] or redis.call('HGET', KEYS[3], block) or ''
  return read_maps[block]
end

-- Those seats of `runs` that cannot be had, each as a run of its own; '' if all can. Seats off sale can be had with
-- `also_off_sale`.
local function not_available(runs, also_off_sale)
  local taken = {}
  for _, run in ipairs(parse_runs(runs)) do
    local map = map_of(run[1])
    if is_area(map) then
      if places(map, 'a') + (also_off_sale and places(map, 'x') or 0) < run[3] then
        taken[#taken + 1] = run[1] .. ':0-' .. run[3]
      end
    else
      for place = run[2], run[2] + run[3] - 1 do
        local status = map:byte(place + 1)
        if status ~= AVAILABLE and not (also_off_sale and status == OFF_SALE) then
          taken[#taken + 1] = run[1] .. ':' .. place .. '-1'
        end
      end
    end
  end
  return table.concat(taken, ',')
end

-- How many of `runs`, which can be had, are off sale.
local function number_off_sale(runs)
  local seats = 0
  for _, run in ipairs(parse_runs(runs)) do
    local map = map_of(run[1])
    if is_area(map) then
      seats = seats + math.max(0, run[3] - places(map, 'a'))
    else
      seats = seats + select(2, map:sub(run[2] + 1, run[2] + run[3]):gsub('x', ''))
    end
  end
  return seats
end

-- Makes seats of status `was` `status`, and writes the longest run of each block that they lie in. The log entry is
-- written by now: a map that cannot be read stays as it is. A block is written once for runs that follow one another.
local function mark(runs, was, status)
  local block, map, parts, done
  local function write()
    if block and done > 0 then
      parts[#parts + 1] = map:sub(done + 1)
      map = table.concat(parts)
      read_maps[block] = map
      redis.call('HSET', KEYS[3], block, map)
      redis.call('SETRANGE', KEYS[4], block, longest_run(map))
    end
  end
  for _, run in ipairs(parse_runs(runs)) do
    local start, length = run[2], run[3]
    if run[1] ~= block or start < done then
      write()
      block, map, parts, done = run[1], map_of(run[1]), {}, 0
    end
    if is_area(map) then
      map = moved(map, was, status, length)
      read_maps[block] = map
      redis.call('HSET', KEYS[3], block, map)
    elseif start + length <= #map then
      parts[#parts + 1] = map:sub(done + 1, start)
      parts[#parts + 1] = status:rep(length)
      done = start + length
    end
  end
  write()
end

-- What seats of a run become that are given back: available, or off sale where their category is.
local function status_returned(inventory, run)
  local part = area_of(offered(inventory), run[1])
  return part and part.off_sale and 'x' or 'a'
end

-- What a buyer gives back returns to its category: available, or blocked where that is off sale.
-- `runs` of status `was` return; the inventory counts those that are blocked then. Returns members of the change that
-- says so, and what to call once it is logged.
local function returned(inventory, runs, was)
  local off_sale, seats = {}, 0
  for _, run in ipairs(parse_runs(runs)) do
    if status_returned(inventory, run) == 'x' then
      off_sale[#off_sale + 1] = table.concat({run[1], ':', run[2], '-', run[3]})
      seats = seats + run[3]
    end
  end
  inventory.blocked = inventory.blocked + seats
  local blocked = table.concat(off_sale, ',')
  return seats > 0 and (',"off_sale":"%s"'):format(blocked) or '', function()
    mark(runs, was, 'a')
    mark(blocked, 'a', 'x')
  end
end
