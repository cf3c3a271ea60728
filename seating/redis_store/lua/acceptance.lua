-- What decides whether a buyer's request is taken at all, shared by the scripts that sell and hold.
-- KEYS[9] idempotency   KEYS[10] notes
-- Refusals {'NOT_ON_SALE', state} | {'NOT_OPEN', ms since 1970 when it opens, ms until then}
--   | {'OVER', ms since 1970 when it closed} | {'TOO_MANY', the most seats of a purchase} | {'BACKLOG_FULL'}

local RECORD_OF_PURCHASE = '^%d+|([^|]*)|%d+%-%d+|%x+|%d+|%d+|[%d:,-]*|%d+|{.*}$'
local RECORD_OF_HOLD_BEFORE = '^%d+|([^|]*)|%d+%-%d+|%d+|%d+|[%d:,-]*$'  -- By a version that let it stay for ever.

-- Whether a purchase was recorded with the same personal data as `private`, whose salt is another one. What was erased
-- cannot be compared; of what a version before wrote, the fingerprint tells.
local function has_same_private(record, private)
  local shop = record:match('{.*}$')
  if not shop or shop:find('"private":null}', 1, true) or not shop:find('"reference":null', 1, true) then
    return true
  end
  return shop:match('"private":{"salt":"%x+"(.*)}}$') == private:match('^{"salt":"%x+"(.*)}$')
end

-- The reply to a purchase whose key was used before, or nil. A record that cannot be read stays where it is: to sell
-- again under its key could be to sell twice.
local function replayed(field, fingerprint, at, private)
  local record = redis.call('HGET', KEYS[9], field)
  if not record then
    return has_note(field, at) and {'REUSED', 'hold'} or nil
  end
  local recorded = record:match(RECORD_OF_PURCHASE)
  if recorded then
    local is_same = recorded == fingerprint and has_same_private(record, private or '')
    return is_same and {'REPLAYED', record} or {'REUSED', 'purchase'}
  end
  if record:find(RECORD_OF_HOLD) or record:find(RECORD_OF_HOLD_BEFORE) then
    return {'REUSED', 'hold'}
  end
  put_aside('idempotency ' .. field, record)
  return {'REUSED', ''}
end

-- When the event opens and closes, and the most seats of a purchase and of a buyer; '' for what has no bound.
local function bounds_of(inventory)
  return (inventory.bounds or ':::'):match('^(%d*):(%d*):(%d*):(%d*)$')
end

-- Why no buyer is served now, or nil.
local function not_accepting(inventory, at, most_entries, most_percent)
  if inventory.state ~= 'on_sale' then
    return {'NOT_ON_SALE', inventory.state}
  end
  local opens, closes = bounds_of(inventory)
  if at < (tonumber(opens) or 0) then
    return {'NOT_OPEN', opens, ('%d'):format(opens - at)}
  elseif at >= (tonumber(closes) or math.huge) then
    return {'OVER', closes}
  end
  return backlog_full(inventory, most_entries, most_percent)
end

-- Why these are too many seats for one purchase or hold, or nil.
local function too_many(inventory, quantity)
  local _, _, most = bounds_of(inventory)
  return quantity > (tonumber(most) or math.huge) and {'TOO_MANY', tonumber(most)} or nil
end
