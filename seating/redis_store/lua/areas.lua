-- Areas of general admission: categories with places that are counted. Where a hall has a map of each block, KEYS[3] has
-- an area's counts by status, such as a480b0h2o0r10s8x0. A run of an area begins at 0: 2:0-5 are five of its places.

local function is_area(map)
  return map:find('^a%d') ~= nil
end

local function places(area, status)
  return tonumber(area:match(status .. '(%d+)') or 0)
end

-- The area once `length` of its places have changed from `was` to `status`. Places that were available come from those
-- off sale where there are too few.
local function moved(area, was, status, length)
  local function add(letter, number)
    area = area:gsub(letter .. '%d+', letter .. ('%d'):format(places(area, letter) + number))
  end
  local taken = was == 'a' and math.min(places(area, 'a'), length) or length
  add(was, -taken)
  add('x', taken - length)
  add(status, length)
  return area
end
