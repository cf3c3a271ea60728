-- Put in front of every script on an event, which all begin alike:
--   KEYS[1] inventory:{e}   KEYS[2] log:{e}   ARGV[1] run_id of the server that the caller is connected to
--
-- Invariant: a change is refused before anything is written, or else written whole, its log entry first.

local STATES = {on_sale = true, paused = true, closed = true}

local function is_readable(name, value)
  if name == 'checked' and not value then
    return true  -- Memory has not been looked at yet.
  end
  if name == 'state' then
    return STATES[value]
  end
  if name == 'server' then
    return true
  end
  if name == 'chain' then
    return value and #value == 40
  end
  return value and value:find('^%d+$')
end

-- The inventory's guarded fields and those named, as a table; or nil and the refusal to reply. One that cannot be read
-- is as good as missing: it is rebuilt from SQL.
local function load_inventory(...)
  local names = {'server', 'epoch', 'seq', 'chain', ...}
  local values = redis.call('HMGET', KEYS[1], unpack(names))
  if not values[2] then
    return nil, {'MISSING'}
  end
  if values[1] ~= ARGV[1] then
    return nil, {'UNTRUSTED'}
  end
  local inventory = {}
  for i, name in ipairs(names) do
    if not is_readable(name, values[i]) then
      return nil, {'MISSING'}
    end
    inventory[name] = values[i]
  end
  return inventory
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
