-- Looking for blocks with available seats, shared by the scripts that sell and hold.
-- They have KEYS[3] seats, KEYS[4] run and KEYS[8] damaged.
-- `longest_runs` is the text in `run`: a character a block, '0' to '9' and ':' for 10, so that one search finds the
-- first block that can serve. `ranges` are those that are searched, in order: {first, last, category}, blocks from 0.

local WHOLE_HALL = {{first = 0, last = math.huge}}

-- Iterates over the blocks whose longest run has `least` to `most` seats, in search order.
local function blocks_with(longest_runs, ranges, least, most)
  local is_plain = least == most
  local wanted = is_plain and string.char(48 + least) or ('[%c-%c]'):format(48 + least, 48 + most)
  local number, from = 1, ranges[1] and ranges[1].first + 1
  return function()
    while ranges[number] do
      local found = longest_runs:find(wanted, from, is_plain)
      if found and found <= ranges[number].last + 1 then
        from = found + 1
        return found - 1
      end
      number = number + 1
      from = ranges[number] and ranges[number].first + 1
    end
  end
end

-- The ranges of each category, in order; all together if a party may mix them.
local function groups_of(ranges, mix)
  if mix then
    return {ranges}
  end
  local groups, of_category = {}, {}
  for _, range in ipairs(ranges) do
    local category = range.category or ''
    if not of_category[category] then
      of_category[category] = {}
      groups[#groups + 1] = of_category[category]
    end
    table.insert(of_category[category], range)
  end
  return groups
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

-- The block's map. nil where it is not as `run` says: whichever is wrong is put right, and `run` has to be read anew.
local function map_as_searched(inventory, longest_runs, block)
  local map = map_of(block)
  local longest = ('a'):rep(longest_runs:byte(block + 1) - 48)
  if map:find(longest, 1, true) and (#longest == 10 or not map:find(longest .. 'a', 1, true)) then
    return map
  elseif maps_add_up(inventory) then
    restore_longest_runs()
  else
    -- Nothing of this block is sold any more.
    put_aside('block ' .. block, map)
    redis.call('SETRANGE', KEYS[4], block, '0')
  end
end
