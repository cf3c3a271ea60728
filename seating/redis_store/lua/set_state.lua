#!lua flags=allow-oom
-- Pauses a sale, puts it on sale again, or closes it for good.
-- KEYS  1 inventory  2 log
-- ARGV  1 caller  2 on_sale, paused or closed
-- Reply {'SET', position} (also when it was so already) | {'CLOSED'} (nothing changes) | any refusal of load_inventory
local inventory, refusal = load_inventory('state')
if not inventory then
  return refusal
end
if inventory.state == ARGV[2] then
  return {'SET', inventory.epoch .. '-' .. inventory.seq}
end
if inventory.state == 'closed' then
  return {'CLOSED'}
end
local at = now_ms()
local position, seq, link = append(inventory, ('{"kind":"state","at":%d,"state":"%s"}'):format(at, ARGV[2]))
redis.call('HSET', KEYS[1], 'seq', seq, 'chain', link, 'state', ARGV[2], 'updated', at)
return {'SET', position}
