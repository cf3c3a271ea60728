-- On what conditions an event is sold, shared by the scripts that give or take seats. The inventory's field `offer` has
-- parts, in the order in which they are searched, joined by ';', each
--   category:flags:price:first-last
-- with the number of the category, flags of x (off sale), q (on request) and a (accessible), a price in minor units or
-- nothing, and the first and last block; in general admission, twice the number of an area.

-- The parts of the inventory's offer; nil for an event without categories.
local function offered(inventory)
  if inventory.offer and not inventory.parts then
    inventory.parts = {}
    for category, flags, price, first, last in inventory.offer:gmatch('(%d+):(%l*):(%d*):(%d+)%-(%d+)') do
      inventory.parts[#inventory.parts + 1] = {
        category = tonumber(category), price = price, first = tonumber(first), last = tonumber(last),
        off_sale = flags:find('x', 1, true) ~= nil,
        on_request = flags:find('q', 1, true) ~= nil,
        accessible = flags:find('a', 1, true) ~= nil,
      }
    end
  end
  return inventory.parts
end

-- The part that a block belongs to, or nil.
local function area_of(offer, block)
  for _, part in ipairs(offer or {}) do
    if part.first <= block and block <= part.last then
      return part
    end
  end
  return nil
end

-- What each of `runs` is sold as, as category:price,…; '' for an event without categories.
local function tariff_of(inventory, runs)
  local offer, tariff = offered(inventory), {}
  for block in (offer and runs or ''):gmatch('(%d+):') do
    local part = area_of(offer, tonumber(block))
    tariff[#tariff + 1] = part and part.category .. ':' .. part.price or '0:'
  end
  return table.concat(tariff, ',')
end

-- What a purchase records of it, as members that follow others of a JSON object.
local function tariff_members(inventory, runs)
  local tariff = tariff_of(inventory, runs)
  if tariff == '' then
    return ''
  end
  return (',"tariff":"%s"'):format(tariff)
    .. (inventory.currency and (',"currency":"%s"'):format(inventory.currency) or '')
end

-- The ranges of blocks that `wish` may be served from, as {category, first, last}, in the order in which they are
-- searched.
local function searched_ranges(parts, wish)
  local asked = wish.asked or wish.accessible
  local ranges = {}
  for _, part in ipairs(parts) do
    if not part.off_sale and (not part.on_request or asked) and (part.accessible or not wish.accessible) then
      for _, only in ipairs(#wish.only > 0 and wish.only or {part}) do
        local first, last = math.max(part.first, only.first), math.min(part.last, only.last)
        if first <= last then
          ranges[#ranges + 1] = {category = part.category, first = first, last = last}
        end
      end
    end
  end
  return ranges
end

-- What a buyer wishes, from flags|first-last,…: flags of t (together), m (mix categories), a (accessible) and c (asked
-- for a category), and the blocks that are searched, all if there are none. `ranges` are what is searched for it, nil
-- for the whole of an event without categories.
local function read_wish(inventory, text)
  local flags, only = text:match('^(%l*)|([%d,-]*)$')
  local wish = {only = {}}
  for flag, name in pairs({t = 'together', m = 'mix', a = 'accessible', c = 'asked'}) do
    wish[name] = flags:find(flag, 1, true) ~= nil
  end
  for first, last in only:gmatch('(%d+)%-(%d+)') do
    wish.only[#wish.only + 1] = {first = tonumber(first), last = tonumber(last)}
  end
  local parts = offered(inventory)
  if parts or #wish.only > 0 or wish.accessible then
    wish.ranges = searched_ranges(parts or {{first = 0, last = 1e9}}, wish)
  end
  return wish
end
