-- Maps of a block's seats, a character a seat and '|' between rows, shared by the scripts that change them.
-- A run is {block, start, length}, all numbers, start counted from 0 in characters of the block's map.

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

-- Those seats of `runs` that cannot be had, each as a run of its own; '' if all can.
local function not_available(seats_key, runs)
  local taken = {}
  for _, run in ipairs(runs) do
    local map = redis.call('HGET', seats_key, run[1]) or ''
    for place = run[2], run[2] + run[3] - 1 do
      if map:byte(place + 1) ~= 97 then
        taken[#taken + 1] = run[1] .. ':' .. place .. '-1'
      end
    end
  end
  return table.concat(taken, ',')
end

-- Writes `status` over `runs`, and the longest run of each block that they lie in. The log entry is written by now: a
-- map that cannot be read stays as it is.
local function mark(seats_key, runs_key, runs, status)
  for _, run in ipairs(runs) do
    local map = redis.call('HGET', seats_key, run[1]) or ''
    if run[2] + run[3] <= #map then
      map = map:sub(1, run[2]) .. status:rep(run[3]) .. map:sub(run[2] + run[3] + 1)
      redis.call('HSET', seats_key, run[1], map)
      redis.call('SETRANGE', runs_key, run[1], longest_run(map))
    end
  end
end
