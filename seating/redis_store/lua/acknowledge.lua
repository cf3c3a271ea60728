#!lua flags=allow-oom
-- Tells an inventory how far SQL has its log: advances `persisted`, trims the log below it but for the newest entries
-- that live clients may resume from, and may trust this server.
-- KEYS  1 inventory  2 log  3 quarantined  4 cancelled
-- ARGV  1 run_id  2 run_id of the server whose log was compared with SQL  3 epoch  4 seq that SQL has
--       5 '1' if all of that log has been compared  6 how many of the newest entries to keep in any case
--       7… seqs that went to quarantine
-- Reply {'ACKNOWLEDGED', entries not yet in SQL} | {'MISSING'} | {'STALE'} (other epoch: somebody rebuilt it)
--       | {'UNTRUSTED'} (the server changed since the comparison)
-- Invariant: `persisted` never goes back; the entry at `persisted` stays, for the next comparison.
local epoch, seq, persisted, server = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'persisted', 'server'))
if not epoch then
  return {'MISSING'}
end
if epoch ~= ARGV[3] then
  return {'STALE'}
end
if ARGV[1] ~= ARGV[2] then
  return {'UNTRUSTED'}
end
for i = 7, #ARGV do
  -- One that was cancelled before SQL refused it waits for nobody.
  if redis.call('SISMEMBER', KEYS[4], ARGV[i]) == 0 then
    redis.call('SADD', KEYS[3], ARGV[i])
  end
end
if tonumber(ARGV[4]) > (tonumber(persisted) or 0) then
  persisted = ARGV[4]
  redis.call('HSET', KEYS[1], 'persisted', persisted)
  local first = math.max(0, math.min(persisted, seq - ARGV[6]))
  redis.call('XTRIM', KEYS[2], 'MINID', ('%d-%d'):format(epoch, first))
end
if ARGV[5] == '1' and server ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'server', ARGV[1])
end
return {'ACKNOWLEDGED', seq - persisted}
