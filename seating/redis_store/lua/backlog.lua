-- Whether the log may take more of what buyers do, while some of it waits for SQL.

local LOOK_EVERY = 64

-- Memory is looked at once in 64 entries, whoever adds them. While there is too little, every call looks: `checked`, the
-- seq at which there was enough, stays where it is.
local function memory_is_short(inventory, most_percent)
  local since = inventory.checked and inventory.seq - inventory.checked
  if since and since >= 0 and since < LOOK_EVERY then
    return false
  end
  local info = redis.call('INFO', 'memory')
  local used, limit = info:match('used_memory:(%d+)'), info:match('maxmemory:(%d+)')
  if limit ~= '0' and used * 100 > limit * most_percent then
    return true
  end
  redis.call('HSET', KEYS[1], 'checked', inventory.seq)
  return false
end

-- Why no buyer adds to the log now, or nil. The limits are of the backlog: entries, and percent of maxmemory.
local function backlog_full(inventory, most_entries, most_percent)
  if inventory.seq - inventory.persisted >= tonumber(most_entries) or memory_is_short(inventory, most_percent) then
    return {'BACKLOG_FULL'}
  end
  return nil
end
