-- Holds, shared by the scripts that make, change and end them. All of these have
--   KEYS[3] seats   KEYS[4] run   KEYS[5] hold: id to since|until|quantity|runs|holder   KEYS[6] holds: id by until
--   KEYS[7] holders: holder to the number of seats that it holds
-- A hold's id is a hash of its token. Times are in ms; a hold is due from `until` on, and honoured before.

local MOST_RELEASED = 200

-- The hold, unless it is due; nil where there is none.
local function find_hold(id, at)
  local kept = redis.call('HGET', KEYS[5], id)
  local since, until_ms, quantity, runs, holder = (kept or ''):match('^(%d+)|(%d+)|(%d+)|([^|]*)|([^|]*)$')
  if not since or tonumber(until_ms) <= at then
    return nil
  end
  return {id = id, since = since, until_ms = until_ms, quantity = tonumber(quantity), runs = runs, holder = holder}
end

local function keep_hold(hold)
  local fields = {hold.since, hold.until_ms, hold.quantity, hold.runs, hold.holder}
  redis.call('HSET', KEYS[5], hold.id, table.concat(fields, '|'))
  redis.call('ZADD', KEYS[6], hold.until_ms, hold.id)
end

-- After a rebuild a hold has no holder any more: the log does not know it.
local function forget_hold(hold)
  redis.call('HDEL', KEYS[5], hold.id)
  redis.call('ZREM', KEYS[6], hold.id)
  if hold.holder ~= '' and redis.call('HINCRBY', KEYS[7], hold.holder, -hold.quantity) <= 0 then
    redis.call('HDEL', KEYS[7], hold.holder)
  end
end

-- One complete change: the seats of `hold` return.
local function release(inventory, hold, at, expired)
  inventory.held = inventory.held - hold.quantity
  local change = '{"kind":"released","at":%d,"hold":"%s","quantity":%d,"left":%d,"runs":"%s","expired":%s}'
  local _, seq, link = append(inventory,
    change:format(at, hold.id, hold.quantity, seats_left(inventory), hold.runs, tostring(expired)))
  redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'held', inventory.held, 'updated', at)
  forget_hold(hold)
  mark(KEYS[3], KEYS[4], parse_runs(hold.runs), 'a')
end

-- Releases holds that are due, `MOST_RELEASED` at most, each as a change of its own; returns how many.
local function release_due(inventory, at)
  local due = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', at, 'LIMIT', 0, MOST_RELEASED)
  for _, id in ipairs(due) do
    release(inventory, find_hold(id, 0), at, true)
  end
  return #due
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
