-- wrk's side of bench/wrk.py: `-- BODY keys|no-keys PREFER keep|close PATH…`, empty for none.
local n = 0

function init(args)
  math.randomseed(os.time() + os.clock() * 1e6)
  run = math.random(1e9)
  body, keys, prefer, closes, paths = args[1], args[2] == "keys", args[3], args[4] == "close", {unpack(args, 5)}
end

function request()
  n = n + 1
  local headers = {}
  if body ~= "" then
    headers["Content-Type"] = "application/json"
  end
  if keys then
    headers["Idempotency-Key"] = "a-buyer-s-own-key-" .. run .. "-" .. n
  end
  if prefer ~= "" then
    headers["Prefer"] = prefer
  end
  if closes then
    headers["Connection"] = "close"
  end
  return wrk.format(body ~= "" and "POST" or "GET", paths[n % #paths + 1], headers, body ~= "" and body or nil)
end
