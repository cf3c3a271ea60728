-- Put in front of every script on an event, which all begin alike:
--   KEYS[1] inventory:{e}   KEYS[2] log:{e}
--   ARGV[1] the caller: run_id of the server that it is connected to, ':', the highest position that it has seen of
--           the event (0-0 if none)
--
-- Invariant: a change is refused before anything is written, or else written whole, its log entry first.

-- A server is its run_id and its replication id: a demotion and a fail-back change the second under one run_id.
local function this_server()
  return ARGV[1]:match('^%x*') .. ':' .. redis.call('INFO', 'replication'):match('master_replid:(%x+)')
end

local STATES = {on_sale = true, paused = true, closed = true}
local TEXTS = {server = true, acknowledged = true, database = true}

local function is_readable(name, value)
  if name == 'checked' and not value then
    return true  -- Memory has not been looked at yet.
  end
  if name == 'state' then
    return STATES[value]
  end
  if TEXTS[name] then
    return true
  end
  if name == 'chain' then
    return value and #value == 40
  end
  return value and value:find('^%d+$')
end

-- The inventory's guarded fields and those named, as a table; or nil and the refusal to reply. One that cannot be read
-- is as good as missing: it is rebuilt from SQL.
local function read_inventory(...)
  local names = {'server', 'epoch', 'seq', 'chain', ...}
  local values = redis.call('HMGET', KEYS[1], unpack(names))
  if not values[2] then
    return nil, {'MISSING'}
  end
  if values[1] ~= this_server() then
    local stopped = redis.call('HGET', KEYS[1], 'stopped')
    return nil, stopped and {'STOPPED'} or {'UNTRUSTED', values[1]}
  end
  local inventory = {}
  for i, name in ipairs(names) do
    if not is_readable(name, values[i]) then
      return nil, {'MISSING'}
    end
    inventory[name] = values[i]
  end
  local seen_epoch, seen_seq = ARGV[1]:match(':(%d+)%-(%d+)$')
  local ahead = seen_epoch - inventory.epoch
  if ahead > 0 or (ahead == 0 and tonumber(seen_seq) > tonumber(inventory.seq)) then
    return nil, {'BEHIND'}
  end
  return inventory
end

-- As read_inventory. An inventory that lacks what its caller has seen sells no more until a higher term begins.
local function load_inventory(...)
  local inventory, refusal = read_inventory(...)
  if refusal and refusal[1] == 'BEHIND' then
    local seen = math.max(ARGV[1]:match(':(%d+)'), redis.call('HGET', KEYS[1], 'seen') or 0)
    redis.call('HSET', KEYS[1], 'server', '', 'seen', ('%d'):format(seen))
  end
  return inventory, refusal
end

-- Appends one change (JSON text) to the log: the first write of every change, and the only one that can fail.
-- Returns the entry's position, its seq and its link; the caller stores seq and link with the new state. The table
-- has them too, so that a script may append again.
local function append(inventory, change)
  local seq = inventory.seq + 1
  local position = inventory.epoch .. '-' .. seq
  local link = redis.sha1hex(inventory.chain .. '\n' .. position .. '\n' .. change)
  redis.call('XADD', KEYS[2], position, 'change', change, 'link', link)
  inventory.seq, inventory.chain = seq, link
  return position, seq, link
end
