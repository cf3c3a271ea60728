-- How long a log keeps entries that SQL has: for live clients, and for an SQL that went back. KEYS[2] is the log.

local TRIMMED_A_CALL = 1000

-- Drops the oldest entries: those older than `keep_ms`, a page at a time, and all that can go at once where Redis uses
-- more than `percent` of its memory. The newest `unrecorded` and `resumed` stay. By number, since an id of an earlier
-- term than the last one's would be dropped by MINID whatever its seq.
local function trim_log(now, unrecorded, keep_ms, percent, resumed)
  local length = redis.call('XLEN', KEYS[2])
  local spare = length - math.max(unrecorded, tonumber(resumed))
  if spare <= 0 then
    return
  end
  local drop = 0
  local info = redis.call('INFO', 'memory')
  local used, limit = info:match('used_memory:(%d+)'), info:match('maxmemory:(%d+)')
  local function is_old(entry)
    return tonumber(entry[2][2]:match('"at":(%d+)') or 0) <= now - keep_ms
  end
  if limit ~= '0' and used * 100 > limit * percent then
    drop = spare
  elseif is_old(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]) then
    for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', math.min(spare, TRIMMED_A_CALL))) do
      if not is_old(entry) then
        break
      end
      drop = drop + 1
    end
  end
  if drop > 0 then
    redis.call('XTRIM', KEYS[2], 'MAXLEN', length - drop)
  end
end
