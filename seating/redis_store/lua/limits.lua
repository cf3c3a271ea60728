-- Rate limits: a sliding window log and a token bucket. Both are exact, and count only what they let pass.
-- A verdict is {1 if it passes, else 0; ms until it would pass (0 if it does)}, then for each quota how many more would
-- pass now, and in how many ms that number grows. A value that none of these has written counts as none: it is replaced.

-- The windows of one log are decided together. `key` is a list of the moments at which a request passed, newest first;
-- as many as the largest limit are kept. `policy` is limit, ms, limit, ms …
local function take_window(key, now, policy)
  local logged, passes, wait, longest, largest = redis.pcall('LLEN', key), 1, 0, 0, 0
  if type(logged) == 'table' then
    redis.call('DEL', key)
    logged = 0
  end
  local windows = {}
  for i = 1, #policy, 2 do
    local limit, window = tonumber(policy[i]), tonumber(policy[i + 1])
    -- How many of the newest are in the window, by bisection; `oldest` is the last of them.
    local inside, outside, oldest = 0, math.min(logged, limit) + 1, now
    while outside - inside > 1 do
      local middle = math.floor((inside + outside) / 2)
      local moment = tonumber(redis.call('LINDEX', key, middle - 1))
      if not moment then
        redis.call('DEL', key)
        return take_window(key, now, policy)
      end
      if now - moment < window then
        inside, oldest = middle, moment
      else
        outside = middle
      end
    end
    if inside == limit then
      passes, wait = 0, math.max(wait, oldest + window - now)
    end
    windows[#windows + 1] = {limit - inside, oldest + window - now}
    longest, largest = math.max(longest, window), math.max(largest, limit)
  end
  if passes == 1 then
    redis.call('LPUSH', key, now)
    redis.call('LTRIM', key, 0, largest - 1)
    redis.call('PEXPIRE', key, longest)
  end
  local verdict = {passes, wait}
  for _, window in ipairs(windows) do
    verdict[#verdict + 1] = window[1] - passes
    verdict[#verdict + 1] = window[2]
  end
  return verdict
end

-- `key` is a string: what is missing from the bucket, ':', as of which moment. `tokens` come back in each `period` ms. A
-- token counts `period`, so that `tokens` come back each ms: whole numbers only.
local function take_bucket(key, now, capacity, tokens, period)
  local kept = redis.pcall('GET', key)
  local missing, moment = (type(kept) == 'string' and kept or ''):match('^(%d+):(%d+)$')
  missing = missing and math.max(0, missing - math.max(0, now - moment) * tokens) or 0
  local passes, wait = 1, 0
  if missing + period > capacity * period then
    passes, wait = 0, math.ceil((missing + period - capacity * period) / tokens)
  else
    missing = missing + period
    redis.call('SET', key, ('%d:%d'):format(missing, now), 'PX', ('%d'):format(math.ceil(missing / tokens)))
  end
  local left = math.floor((capacity * period - missing) / period)
  return {passes, wait, left, math.ceil((missing - (capacity - left - 1) * period) / tokens)}
end

-- ARGV has 'window' or 'bucket' and its numbers from `from` on.
local function take(key, from, now)
  if ARGV[from] == 'bucket' then
    return take_bucket(key, now, tonumber(ARGV[from + 1]), tonumber(ARGV[from + 2]), tonumber(ARGV[from + 3]))
  end
  return take_window(key, now, {unpack(ARGV, from + 1)})
end

-- For a script that does more than this, and whose limit may be absent: a function that puts the verdict behind a reply,
-- and the refusal to reply, or nil.
local function measure(key, from, now)
  local verdict = key and take(key, from, now)
  local function answer(reply)
    reply[#reply + 1] = verdict
    return reply
  end
  return answer, verdict and verdict[1] == 0 and {'RATE_LIMITED'} or nil
end
