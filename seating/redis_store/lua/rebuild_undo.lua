#!lua flags=allow-oom
-- Ends a claim without writing anything; where there was no inventory, there is none again.
-- KEYS  1 inventory  2 log
-- ARGV  1 caller  2 token of the claim
-- Reply {'UNDONE'} | {'OVERTAKEN'} (the claim is not ours any more; nothing changes)
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[2] then
  return {'OVERTAKEN'}
end
redis.call('HDEL', KEYS[1], 'claim', 'claim_until', 'claim_purpose')
if redis.call('HLEN', KEYS[1]) == 1 then
  redis.call('DEL', KEYS[1])
end
return {'UNDONE'}
