#!lua flags=allow-oom
-- Keeps what each instance of the web server has counted, and drops what its instance has not renewed.
-- KEYS  1 shares: hash, instance to when it left its share, '|', and the share
-- ARGV  1 caller  2 instance  3 for how many ms a share is kept  4 the instance's share; none to read those of others
-- Reply the shares of the others, none where a share is left
local MOST = 1000
local own, kept_ms, share = ARGV[2], tonumber(ARGV[3]), ARGV[4]
local at, others = now_ms(), {}
local kept = redis.call('HGETALL', KEYS[1])
for i = 1, #kept, 2 do
  local left_at, other = kept[i + 1]:match('^(%d+)|(.*)$')
  if not left_at or math.abs(at - left_at) >= kept_ms then  -- Redis's clock may have been set back.
    redis.call('HDEL', KEYS[1], kept[i])
  elseif kept[i] ~= own then
    others[#others + 1] = other
  end
end
if not share then
  return others
elseif #others < MOST then
  redis.call('HSET', KEYS[1], own, ('%d|'):format(at) .. share)
  redis.call('PEXPIRE', KEYS[1], kept_ms)
end
return {}
