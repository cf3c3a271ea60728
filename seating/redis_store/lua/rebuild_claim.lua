#!lua flags=allow-oom
-- Claims the rebuilding of an inventory that nobody may sell from.
-- KEYS  1 inventory  2 log
-- ARGV  1 run_id  2 token of the claim  3 lease, in ms  4 '1' to close an inventory that is on sale, if SQL has all of it
-- Reply {'CLAIMED'} | {'LIVE'} (on sale, and not to be closed now) | {'BUSY'} (another claim holds)
-- Invariant: only the end of a rebuilding gives a claimed inventory its epoch again. Until then it is missing, also to
-- a comparison that began before the claim and would trust it.
local values = redis.call('HMGET', KEYS[1], 'epoch', 'server', 'seq', 'persisted', 'rebuilding', 'lease_until')
local epoch, server, seq, persisted, rebuilding, lease_until = unpack(values)
if epoch and server == ARGV[1] and not (ARGV[4] == '1' and seq == persisted) then
  return {'LIVE'}
end
local now = now_ms()
if rebuilding and rebuilding ~= ARGV[2] and now < (tonumber(lease_until) or 0) then
  return {'BUSY'}
end
redis.call('HSET', KEYS[1], 'server', '', 'rebuilding', ARGV[2], 'lease_until', now + ARGV[3])
redis.call('HDEL', KEYS[1], 'epoch')
return {'CLAIMED'}
