#!lua flags=allow-oom
-- Removes a closed event from Redis, once SQL has all of it and nothing has changed for a while. What SQL acknowledged
-- stays, so that an older SQL does not put the event on sale again.
-- Uses prelude.lua
-- KEYS  1 inventory  2… all other keys of the event
-- ARGV  1 caller  2 ms since its last change
-- Reply {'ARCHIVED'} (also when it was gone already) | {'KEPT'} | any refusal of load_inventory
local inventory, refusal = load_inventory('state', 'persisted', 'updated', 'acknowledged', 'database')
if not inventory then
  return refusal[1] == 'MISSING' and {'ARCHIVED'} or refusal
end
local idle = now_ms() - inventory.updated
if inventory.state ~= 'closed' or inventory.seq ~= inventory.persisted or idle < tonumber(ARGV[2]) then
  return {'KEPT'}
end
redis.call('UNLINK', unpack(KEYS))
redis.call('HSET', KEYS[1], 'server', '', 'archived', '1',
  'acknowledged', inventory.acknowledged, 'database', inventory.database)
return {'ARCHIVED'}
