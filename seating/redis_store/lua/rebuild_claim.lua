#!lua flags=allow-oom
-- Claims an inventory for one who writes it anew. All of its fields stay; it refuses to sell.
-- Uses prelude.lua
-- Uses claims.lua
-- KEYS  1 inventory  2 log
-- ARGV  1 caller  2 token of the claim  3 purpose
--       4 what may be claimed: 'closed' (nobody may sell from it), 'recorded' (or SQL has all of it), 'any'
-- Reply {'CLAIMED', ms since 1970} | {'LIVE'} (it sells, and is not to be closed) | {'BUSY'} (another claim holds)
-- Invariant: a claim that ends, by its lease too, leaves an inventory as it was, but closed.
local names = {'epoch', 'server', 'seq', 'persisted', 'claim', 'claim_until'}
local epoch, server, seq, persisted, claim, claim_until = unpack(redis.call('HMGET', KEYS[1], unpack(names)))
local sells = epoch and server == this_server()
if sells and ARGV[4] ~= 'any' and not (ARGV[4] == 'recorded' and seq == persisted) then
  return {'LIVE'}
end
local now = now_ms()
if claim and claim ~= ARGV[2] and is_claimed(claim_until, now) then
  return {'BUSY'}
end
redis.call('HSET', KEYS[1], 'server', '', 'claim', ARGV[2], 'claim_until', now + LEASE_MS, 'claim_purpose', ARGV[3])
return {'CLAIMED', ('%d'):format(now)}
