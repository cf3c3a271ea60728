-- One step under a claim: renews its lease, and writes a part of what is to take the event's place.
-- Uses claims.lua
-- KEYS  1 inventory  2 the key to write, if there is one
-- ARGV  1 caller  2 token of the claim  3 ms that the part outlives its claim  4 command  5… its values
-- Reply {'DONE'} | {'OVERTAKEN'} (the claim is not ours any more; nothing changes)
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[2] then
  return {'OVERTAKEN'}
end
if KEYS[2] then
  redis.call(ARGV[4], KEYS[2], unpack(ARGV, 5))
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
redis.call('HSET', KEYS[1], 'claim_until', now_ms() + LEASE_MS)
return {'DONE'}
