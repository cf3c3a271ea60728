-- Holds, shared by the scripts that make, change and end them. All of these have
--   KEYS[3] seats   KEYS[4] run   KEYS[5] hold: id to since|until|quantity|runs|field;note;holders
--   KEYS[6] holds: id by until   KEYS[7] holders: holder to the number of seats that it holds
--   KEYS[8] damaged   KEYS[9] idempotency   KEYS[10] notes
-- A hold's id is a hash of its token. Times are in ms; a hold is due from `until` on, and honoured before. `field` is
-- that of its key's record, or empty, and `note` how long a note of the key stays. `holders` are those for whom its seats
-- count, each with the most that it may hold: holder:most,holder:most.

local MOST_RELEASED, MOST_LAPSED = 200, 1000

-- Whether all of these seats are held in the maps; so are those of general admission, which has none.
local function are_held(runs, quantity)
  local seats = 0
  for _, run in ipairs(parse_runs(runs)) do
    local map = map_of(run[1])
    if is_area(map) then
      if places(map, 'h') < run[3] then
        return false
      end
    elseif run[2] + run[3] > #map or map:sub(run[2] + 1, run[2] + run[3]):find('[^h]') then
      return false
    end
    seats = seats + run[3]
  end
  return runs == '' or seats == quantity
end

-- The hold as `keep_hold` wrote it; nil where there is none, or something else.
local function read_hold(id)
  local kept = redis.call('HGET', KEYS[5], id)
  local since, until_ms, quantity, runs, owner = (kept or ''):match('^(%d+)|(%d+)|(%d+)|([%d:,-]*)|([^|]*)$')
  if not since or not are_held(runs, tonumber(quantity)) then
    return nil
  end
  local field, note_ms, holders = owner:match('^([%w_-]*);(%d+);(.*)$')
  if not field then  -- A version before wrote it, whose records of keys stay.
    field, note_ms, holders = '', '0', owner
  end
  return {id = id, since = since, until_ms = until_ms, quantity = tonumber(quantity), runs = runs,
    field = field, note_ms = note_ms, holders = holders}
end

-- The hold, unless it is due; nil where there is none.
local function find_hold(id, at)
  local hold = read_hold(id)
  if not hold or tonumber(hold.until_ms) <= at then
    return nil
  end
  return hold
end

-- How many seats the holder holds.
local function count_of(holder)
  local kept = redis.call('HGET', KEYS[7], holder)
  local seats = tonumber((kept or '0'):match('^%d+$'))
  if not seats then
    put_aside('holder ' .. holder, kept)
  end
  return seats or 0
end

-- The refusal to reply if one of the holders would hold too many with `seats` more, or nil.
local function too_many_held(holders, seats)
  for holder, most in holders:gmatch('([^:,]+):(%d+)') do
    local held = count_of(holder)
    if held + seats > tonumber(most) then
      return {'TOO_MANY_HELD', held}
    end
  end
end

-- After a rebuild a hold has no holders any more: the log does not know them.
local function add_to_counts(holders, seats)
  for holder in holders:gmatch('([^:,]+):?%d*') do
    local count = count_of(holder) + seats
    if count > 0 then
      redis.call('HSET', KEYS[7], holder, count)
    else
      redis.call('HDEL', KEYS[7], holder)
    end
  end
end

local function keep_hold(hold)
  local owner = table.concat({hold.field, hold.note_ms, hold.holders}, ';')
  redis.call('HSET', KEYS[5], hold.id, table.concat({hold.since, hold.until_ms, hold.quantity, hold.runs, owner}, '|'))
  redis.call('ZADD', KEYS[6], hold.until_ms, hold.id)
end

local function forget_hold(hold, at)
  redis.call('HDEL', KEYS[5], hold.id)
  redis.call('ZREM', KEYS[6], hold.id)
  add_to_counts(hold.holders, -hold.quantity)
  end_key(hold, at)
end

-- The reply that tells of a hold as it is now: position, until, ms until then, quantity, runs, and as what these would be
-- sold, tariff and currency.
local function tell(outcome, inventory, hold, at)
  local position = inventory.epoch .. '-' .. inventory.seq
  return {outcome, position, tostring(hold.until_ms), hold.until_ms - at, hold.quantity, hold.runs,
    tariff_of(inventory, hold.runs), inventory.currency or ''}
end

-- One complete change: the seats of `hold` return.
local function release(inventory, hold, at, expired)
  inventory.held = inventory.held - hold.quantity
  local off_sale, give_back = returned(inventory, hold.runs, 'h')
  local change = change_json('released', at, '"hold":"%s","quantity":%d,"left":%d,"runs":"%s","expired":%s%s',
    hold.id, hold.quantity, seats_left(inventory), hold.runs, tostring(expired), off_sale)
  commit(inventory, at, change, 'held', inventory.held, 'blocked', inventory.blocked)
  forget_hold(hold, at)
  give_back()
end

-- Releases holds that are due, `MOST_RELEASED` at most, each as a change of its own; returns how many. What cannot be
-- read is put aside: which seats it held, only the log knows.
local function release_due(inventory, at)
  local due = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', at, 'LIMIT', 0, MOST_RELEASED)
  for _, id in ipairs(due) do
    local hold = read_hold(id)
    if hold then
      release(inventory, hold, at, true)
    else
      put_aside('hold ' .. id, redis.call('HGET', KEYS[5], id))
      redis.call('HDEL', KEYS[5], id)
      redis.call('ZREM', KEYS[6], id)
    end
  end
  return #due
end

-- The first holds that are due and that no script has released yet: what they hold can be bought.
local function lapsed_holds(at)
  local lapsed = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', at, 'LIMIT', 0, MOST_LAPSED)) do
    lapsed[#lapsed + 1] = read_hold(id)
  end
  return lapsed
end

-- How many seats of a hold can be had again once it is released.
local function returning(inventory, hold)
  local seats = hold.quantity
  for _, run in ipairs(parse_runs(hold.runs)) do
    seats = seats - (status_returned(inventory, run) == 'x' and run[3] or 0)
  end
  return seats
end

-- What `choose` returns, a choice or nil and a refusal; it refuses only when no hold is due any more.
local function after_releases(inventory, at, choose)
  local released, choice, refusal
  repeat
    released = release_due(inventory, at)
    choice, refusal = choose()
  until not refusal or released < MOST_RELEASED
  return choice, refusal
end
