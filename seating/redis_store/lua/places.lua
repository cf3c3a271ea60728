-- Which places of general admission a buyer gets, shared by the scripts that sell and hold.

-- The places to give, as runs: of one area unless `wish.mix`; '' for an event without categories, nil where there are too
-- few.
local function best_places(inventory, quantity, wish)
  if not wish.ranges then
    return ''
  end
  local runs, remaining = {}, quantity
  for _, range in ipairs(wish.ranges) do
    for area = range.first, range.last do
      local taken = math.min(places(map_of(area), 'a'), remaining)
      if taken == quantity then
        return area .. ':0-' .. quantity
      elseif taken > 0 and wish.mix then
        runs[#runs + 1] = area .. ':0-' .. taken
        remaining = remaining - taken
      end
    end
  end
  return remaining == 0 and table.concat(runs, ',') or nil
end
