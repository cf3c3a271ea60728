-- Rate limits: a sliding window log and a token bucket. Both are exact, and count only what they let pass.
-- A verdict is {1 if it passes, else 0; ms until it would pass (0 if it does)}, then for each quota how many more would
-- pass now, and in how many ms that number grows. A value that none of these has written counts as none: it is replaced.

-- The windows of one log are decided together. `key` is a list of the moments at which a request passed, newest first;
-- as many as the largest limit are kept. `policy` is limit, ms, limit, ms …
local function take_window(key, policy, now)
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
        return take_window(key, policy, now)
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

-- `key` is a string: what is missing from the bucket, ':', as of which moment. `policy` is capacity, tokens that come
-- back in a period, that period in ms. A token counts `period`, so that `tokens` come back each ms: whole numbers only.
local function take_bucket(key, policy, now)
  local capacity, tokens, period = tonumber(policy[1]), tonumber(policy[2]), tonumber(policy[3])
  local missing, moment = 0, now
  local kept = redis.pcall('GET', key)
  local written_missing, written_moment = (type(kept) == 'string' and kept or ''):match('^(%d+):(%d+)$')
  if written_missing then
    missing, moment = tonumber(written_missing), tonumber(written_moment)
    missing = math.max(0, missing - math.max(0, now - moment) * tokens)
  end
  local passes, wait = 1, 0
  if missing + period > capacity * period then
    passes, wait = 0, math.ceil((missing + period - capacity * period) / tokens)
  else
    missing = missing + period
    redis.call('SET', key, ('%d:%d'):format(missing, now), 'PX', math.ceil(missing / tokens))
  end
  local left = math.floor((capacity * period - missing) / period)
  return {passes, wait, left, math.ceil((missing - (capacity - left - 1) * period) / tokens)}
end

-- `policy` is 'window' or 'bucket' and its numbers, from `from` on in `arguments`.
local function take(key, arguments, from, now)
  local numbers = {unpack(arguments, from + 1)}
  if arguments[from] == 'bucket' then
    return take_bucket(key, numbers, now)
  end
  return take_window(key, numbers, now)
end
