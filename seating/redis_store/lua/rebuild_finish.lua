#!lua flags=allow-oom
-- The last step under a claim: what was written takes the event's place, all at once. Nothing is sold from it yet.
-- KEYS  1 inventory  2 log  3… the event's other keys, then those that were written for them, in the same order
-- ARGV  1 caller  2 token of the claim  3 position, 4 change and 5 link of the last entry that SQL has
--       6… fields and values of the inventory
-- Reply {'DONE'} | {'OVERTAKEN'} (the claim is not ours any more; nothing changes)
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[2] then
  return {'OVERTAKEN'}
end
local others = (#KEYS - 2) / 2
for i = 3, 2 + others do
  redis.call('UNLINK', KEYS[i])
  if redis.call('EXISTS', KEYS[i + others]) == 1 then
    redis.call('RENAME', KEYS[i + others], KEYS[i])
    redis.call('PERSIST', KEYS[i])
  end
end
redis.call('UNLINK', KEYS[1], KEYS[2])
redis.call('XADD', KEYS[2], ARGV[3], 'change', ARGV[4], 'link', ARGV[5])
redis.call('HSET', KEYS[1], 'server', '', unpack(ARGV, 6))
return {'DONE'}
