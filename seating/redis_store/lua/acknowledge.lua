#!lua flags=allow-oom
-- Tells an inventory how far SQL has its log; opens it when that is the `trusted` entry of this server's term.
-- Uses prelude.lua
-- Uses log_keeping.lua
-- Uses claims.lua
-- KEYS  1 inventory  2 log  3 quarantine: position of an entry that waits to link|change, as aside_text has it
-- ARGV  1 caller  2 server whose log was read  3 position that SQL has  4 its seq  5 its link  6 id of the database
--       7 ms for which entries are kept  8 percent of maxmemory up to which they are  9 newest entries to keep always
--       10… entries that went to quarantine: position, link|change
-- Reply {'ACKNOWLEDGED', entries not yet in SQL, '1' if it sells} | {'MISSING'} | {'STALE'} (this log has no such entry)
--       | {'UNTRUSTED'} (the server changed since its log was read)
-- Invariant: `persisted` and `acknowledged` never go back; the entry at `persisted` stays, for the next comparison.
local names = {'server', 'seq', 'chain', 'persisted', 'claim_until', 'epoch', 'seen'}
local server, seq, chain, persisted, claim_until, epoch, seen = unpack(redis.call('HMGET', KEYS[1], unpack(names)))
if not seq then
  return {'MISSING'}
end
local here, at = this_server(), now_ms()
if here ~= ARGV[2] then
  return {'UNTRUSTED'}
end
local entry = redis.call('XRANGE', KEYS[2], ARGV[3], ARGV[3])[1]
if not entry or entry[2][4] ~= ARGV[5] then
  return {'STALE'}
end
for i = 10, #ARGV, 2 do
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
end

if tonumber(ARGV[4]) >= (tonumber(persisted) or 0) then
  persisted = ARGV[4]
  local acknowledged = ARGV[3] .. ' ' .. ARGV[5]
  redis.call('HSET', KEYS[1], 'persisted', persisted, 'acknowledged', acknowledged, 'database', ARGV[6])
  trim_log(at, seq - persisted + 1, ARGV[7], ARGV[8], ARGV[9])
end
redis.call('HDEL', KEYS[1], 'stopped')
if server ~= here and not is_claimed(claim_until, at) and chain == ARGV[5] and tonumber(seen or 0) < tonumber(epoch) then
  local change = cjson.decode(entry[2][2])
  if change.kind == 'trusted' and change.server == here then
    server = here
    redis.call('HSET', KEYS[1], 'server', here)
    -- A rebuild whose lease is over may still run: it must not replace what is sold from now on.
    redis.call('HDEL', KEYS[1], 'claim', 'claim_until', 'claim_purpose')
  end
end
return {'ACKNOWLEDGED', seq - persisted, server == here and '1' or ''}
