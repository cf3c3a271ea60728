#!lua flags=allow-oom
-- Begins a term for this server: appends `trusted` to a log that SQL has whole, while nothing is sold from it.
-- Uses prelude.lua
-- Uses claims.lua
-- KEYS  1 inventory  2 log  3 terms: epoch to the seq of its first entry
-- ARGV  1 caller  2 epoch of the term  3 link of the last entry that SQL has  4 nonce  5 id of the database
-- Reply {'BEGUN', position} | {'TRUSTED'} (it sells already) | {'STALE'} (not where SQL's record ends, or the epoch is
--       not above all that the inventory knows) | {'CLAIMED'} | {'MISSING'}
-- Invariant: the inventory goes on refusing to sell; only the acknowledgement of this very entry opens it.
local term, recorded_link, nonce, database = unpack(ARGV, 2)

local names = {'server', 'epoch', 'seq', 'chain', 'seen', 'claim_until'}
local server, epoch, seq, chain, seen, claim_until = unpack(redis.call('HMGET', KEYS[1], unpack(names)))
if not epoch then
  return {'MISSING'}
end
local here, at = this_server(), now_ms()
if server == here then
  return {'TRUSTED'}
end
if is_claimed(claim_until, at) then
  return {'CLAIMED'}
end
if chain ~= recorded_link or tonumber(term) <= math.max(epoch, seen or 0) then
  return {'STALE'}
end
local inventory = {epoch = term, seq = seq, chain = chain}
local change = change_json('trusted', at, '"server":"%s","nonce":"%s","database":"%s"', here, nonce, database)
local position = append(inventory, change)
redis.call('HSET', KEYS[1], 'epoch', term, 'seq', inventory.seq, 'chain', inventory.chain, 'server', '')
redis.call('HSET', KEYS[3], term, inventory.seq)
redis.call('HDEL', KEYS[1], 'claim', 'claim_until', 'claim_purpose')
return {'BEGUN', position}
