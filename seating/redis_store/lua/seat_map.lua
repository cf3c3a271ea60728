-- Maps of a block's seats, a character a seat and '|' between rows, shared by the scripts that change them.
-- They have KEYS[3] seats and KEYS[4] run.
-- A run is {block, start, length}, all numbers, start counted from 0 in characters of the block's map.

local AVAILABLE, ROW_BREAK = ('a|'):byte(1, 2)

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

-- Those seats of `runs` that cannot be had, each as a run of its own; '' if all can.
local function not_available(runs)
  local taken = {}
  for _, run in ipairs(parse_runs(runs)) do
    local map = map_of(run[1])
    for place = run[2], run[2] + run[3] - 1 do
      if map:byte(place + 1) ~= AVAILABLE then
        taken[#taken + 1] = run[1] .. ':' .. place .. '-1'
      end
    end
  end
  return table.concat(taken, ',')
end

-- Writes `status` over `runs`, and the longest run of each block that they lie in. The log entry is written by now: a
-- map that cannot be read stays as it is.
local function mark(runs, status)
  for _, run in ipairs(parse_runs(runs)) do
    local block, start, length = run[1], run[2], run[3]
    local map = map_of(block)
    if start + length <= #map then
      map = map:sub(1, start) .. status:rep(length) .. map:sub(start + length + 1)
      read_maps[block] = map
      redis.call('HSET', KEYS[3], block, map)
      redis.call('SETRANGE', KEYS[4], block, longest_run(map))
    end
  end
end
