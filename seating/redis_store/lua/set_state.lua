#!lua flags=allow-oom
-- Puts a draft on sale, pauses a sale, puts it on sale again, or closes it for good.
-- Uses prelude.lua
-- KEYS  1 inventory  2 log
-- ARGV  1 caller  2 on_sale, paused or closed  3 who asks for it, as a member of a JSON object
-- Reply {'SET', position} (also when it was so already) | {'CLOSED'} (nothing changes) | {'DRAFT'} (it cannot be paused)
--       | any refusal of load_inventory
-- Invariant: a draft is seen by operators alone until it is put on sale or closed, and never is one again.
local state, by = ARGV[2], ARGV[3]

local inventory, refusal = load_inventory('state')
if not inventory then
  return refusal
end
if inventory.state == state then
  return {'SET', inventory.epoch .. '-' .. inventory.seq}
end
if inventory.state == 'closed' then
  return {'CLOSED'}
elseif inventory.state == 'draft' and state == 'paused' then
  return {'DRAFT'}
end
local at = now_ms()
local change = change_json('state', at, '"state":"%s","was":"%s",%s', state, inventory.state, by)
return {'SET', commit(inventory, at, change, 'state', state)}
