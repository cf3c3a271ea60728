#!lua flags=allow-oom
-- Pauses a sale, puts it on sale again, or closes it for good.
-- Uses prelude.lua
-- KEYS  1 inventory  2 log
-- ARGV  1 caller  2 on_sale, paused or closed
-- Reply {'SET', position} (also when it was so already) | {'CLOSED'} (nothing changes) | any refusal of load_inventory
local state = ARGV[2]

local inventory, refusal = load_inventory('state')
if not inventory then
  return refusal
end
if inventory.state == state then
  return {'SET', inventory.epoch .. '-' .. inventory.seq}
end
if inventory.state == 'closed' then
  return {'CLOSED'}
end
local at = now_ms()
return {'SET', commit(inventory, at, change_json('state', at, '"state":"%s"', state), 'state', state)}
