-- Splits a party that no row has room for, shared by the scripts that sell and hold. They have KEYS[11] spots.
-- Fewest parts first, then fewest parts of one seat, then parts near each other. The first two are exact. For the
-- third, MOST_BLOCKS are read and MOST_RUNS compared, with as many of them in the middle as make MOST_PARTS parts: a
-- hall of 100,000 seats in pieces takes no longer than one of 5,000. Distances are in hundredths of a seat's width.

local MOST_BLOCKS, MOST_RUNS, MOST_PARTS = 16, 128, 64
-- Another row is further than any aisle; where positions are unknown, another block is further than any row.
local ANOTHER_ROW, ANOTHER_BLOCK = 500, 100000

-- The party's seats as runs, in the hall's order; nil if no category has enough, or where a map had to be put right,
-- and then true. It makes its functions when it runs: all calls of the script would pay for them otherwise.
local function split(inventory, longest_runs, quantity, wish)
  -- Of runs of which there are `counts` by length: the fewest parts that they seat the party in, and how many of these
  -- have one seat at least; the length of the shortest if the longest are taken, and the least that any of them can
  -- have. nil if they have too few seats.
  local function fewest_parts(counts)
    local parts, seats = 0, 0
    for length = quantity - 1, 1, -1 do
      local taken = math.min(counts[length] or 0, math.ceil((quantity - seats) / length))
      parts, seats = parts + taken, seats + taken * length
      if seats >= quantity then
        local singles = math.max(length == 1 and taken or 0, 2 * parts - quantity)
        return parts, singles, length, math.max(quantity - seats + length, singles == 0 and 2 or 1)
      end
    end
  end

  -- The runs of at least `least` available seats in a map, in order. `offset` is how many seats their middle is from
  -- that of their stretch, `half` how far their ends are from it.
  local function free_runs(block, map, least)
    local runs, wanted, number = {}, '()(' .. ('a'):rep(least) .. 'a*)', 0
    for first, stretch in (map .. '|'):gmatch('()([^|]*)|') do
      number = number + 1
      for from, available in stretch:gmatch(wanted) do
        local length = #available
        runs[#runs + 1] = {block = block, stretch = number, start = first + from - 2, length = length,
          offset = from - 1 + (length - #stretch) / 2, half = 50 * (length - 1)}
      end
    end
    return runs
  end

  local function is_before(run, other)
    return run.block < other.block or run.block == other.block and run.start < other.start
  end

  -- How these ranges can seat the party at best: {ranges, parts, singles, shortest, least, read}; nil where they have
  -- too few seats, or where a map had to be put right, and then true. `read` has the maps it read: of the blocks with
  -- the longest runs, no more than ten, since each adds a run that is longer than what it had.
  local function best_parts(ranges)
    local counts, read = {}, {}
    local parts, singles, shortest, least
    for longest = quantity - 1, 1, -1 do
      for block in blocks_with(longest_runs, ranges, longest, longest) do
        if parts and shortest >= longest then
          break
        end
        local map = map_as_searched(inventory, longest_runs, block)
        if not map then
          return nil, true
        end
        read[block] = map
        for available in map:gmatch('a+') do
          counts[#available] = (counts[#available] or 0) + 1
        end
        parts, singles, shortest, least = fewest_parts(counts)
      end
    end
    return parts and
      {ranges = ranges, parts = parts, singles = singles, shortest = shortest, least = least, read = read}
  end

  -- The blocks to choose from, in search order: those that `best` is known from, then those that have the largest part,
  -- then others, up to MOST_BLOCKS.
  local function blocks_to_read(best)
    local blocks, place_of, count = {}, {}, 0
    for block in pairs(best.read) do
      place_of[block], count = 0, count + 1
    end
    for _, least in ipairs({math.ceil(quantity / best.parts), best.least}) do
      for block in blocks_with(longest_runs, best.ranges, least, 9) do
        if count >= MOST_BLOCKS then
          break
        elseif not place_of[block] then
          place_of[block], count = 0, count + 1
        end
      end
    end
    for block in pairs(place_of) do
      for number, range in ipairs(best.ranges) do
        if range.first <= block and block <= range.last then
          place_of[block] = number
        end
      end
      blocks[#blocks + 1] = block
    end
    table.sort(blocks, function(block, other)
      if place_of[block] == place_of[other] then
        return block < other
      end
      return place_of[block] < place_of[other]
    end)
    return blocks
  end

  -- The runs to choose from, in search order: those that `best` is known from, and others up to MOST_RUNS. nil where a
  -- map had to be put right.
  local function runs_to_compare(best, blocks)
    local runs, shortest = {}, 0
    for _, block in ipairs(blocks) do
      if best.read[block] or #runs < MOST_RUNS then
        local map = best.read[block] or map_as_searched(inventory, longest_runs, block)
        if not map then
          return nil
        end
        for _, run in ipairs(free_runs(block, map, best.least)) do
          local is_shortest = run.length == best.shortest and shortest < best.parts
          if run.length > best.shortest or is_shortest or #runs < MOST_RUNS then
            shortest = shortest + (is_shortest and 1 or 0)
            runs[#runs + 1] = run
            run.number = #runs
          end
        end
      end
    end
    return runs
  end

  -- The row, middle and step of each of a block's stretches; empty where positions are unknown.
  local function spots_of(block)
    local spots, number = {}, '(%-?%d+)'
    for row, x, y, step_x, step_y in (redis.call('HGET', KEYS[11], block) or '')
        :gmatch(('%s:%s:%s:%s:%s'):format(number, number, number, number, number)) do
      spots[#spots + 1] = {row, tonumber(x), tonumber(y), tonumber(step_x), tonumber(step_y)}
    end
    return spots
  end

  -- Gives each run its `row`, the `x` and `y` of its middle, and the step from seat to seat. Where positions are
  -- unknown, the stretches of a block are rows one behind the other.
  local function locate(runs)
    local spots = {}
    for _, run in ipairs(runs) do
      spots[run.block] = spots[run.block] or spots_of(run.block)
      local behind = ANOTHER_BLOCK * run.block + 100 * (run.stretch - 1)
      local row, x, y, step_x, step_y = unpack(spots[run.block][run.stretch] or {-behind, 0, behind, 100, 0})
      if step_x == 0 and step_y == 0 then
        step_x = 100
      end
      run.row, run.step_x, run.step_y = row, step_x, step_y
      run.x, run.y = x + step_x * run.offset, y + step_y * run.offset
    end
  end

  local function nearer(run, other)
    if run.away == other.away then
      return run.number < other.number
    end
    return run.away < other.away
  end

  local function longer(run, other)
    if run.length == other.length then
      return nearer(run, other)
    end
    return run.length > other.length
  end

  -- The runs around `host` that are less than `away` from it, nearest first. The distance is the one of their nearest
  -- seats, as if all rows were parallel to the host's; to another row, ANOTHER_ROW more.
  local function runs_around(host, runs, away)
    local around, step = {}, math.sqrt(host.step_x * host.step_x + host.step_y * host.step_y)
    local unit_x, unit_y = host.step_x / step, host.step_y / step
    for _, run in ipairs(runs) do
      local x, y, more = run.x - host.x, run.y - host.y, run.row == host.row and 0 or ANOTHER_ROW
      local across = math.abs(x * unit_y - y * unit_x)
      if across + more < away and run ~= host then
        local along = math.max(0, math.abs(x * unit_x + y * unit_y) - host.half - run.half)
        run.away = math.sqrt(along * along + across * across) + more
        if run.away < away then
          around[#around + 1] = run
        end
      end
    end
    table.sort(around, nearer)
    return around
  end

  -- Of `runs`, those for the party: one that can have the largest part, and the longest around it. It is the first that
  -- can have them in its row, no further than an aisle; or else the one that can have them nearest.
  local function nearest_parts(runs, best)
    local chosen, away = nil, math.huge
    local hosts, most_hosts = 0, math.floor(MOST_PARTS / best.parts)
    for _, host in ipairs(runs) do
      if away <= ANOTHER_ROW or hosts == most_hosts then
        break
      elseif host.length >= quantity / best.parts then
        hosts = hosts + 1
        local around, counts = runs_around(host, runs, away), {[host.length] = 1}
        for i, run in ipairs(around) do
          counts[run.length] = (counts[run.length] or 0) + 1
          local parts, singles = fewest_parts(counts)
          if parts == best.parts and singles == best.singles then
            away = run.away
            local within = {unpack(around, 1, i)}
            table.sort(within, longer)
            chosen = {host, unpack(within, 1, parts - 1)}
            break
          end
        end
      end
    end
    return chosen
  end

  -- Gives each run the `size` of its part. The seats that remain stay together in the longest run, the last of these,
  -- as long as two are taken of it, then in the next one; one is taken only where that cannot be helped.
  local function share_out(chosen)
    local surplus = -quantity
    for i, run in ipairs(chosen) do
      surplus = surplus + run.length
      run.size, run.turn = run.length, i
    end
    local by_length = {unpack(chosen)}
    table.sort(by_length, function(run, other)
      return run.length > other.length or run.length == other.length and run.turn > other.turn
    end)
    for least = 2, 1, -1 do
      for _, run in ipairs(by_length) do
        local left = math.max(0, math.min(surplus, run.size - least))
        run.size, surplus = run.size - left, surplus - left
      end
    end
  end

  -- Where the part of `run` begins: at the end that is nearer to `other`.
  local function part_start(run, other)
    local towards_last = (other.x - run.x) * run.step_x + (other.y - run.y) * run.step_y
    return run.start + (towards_last > 0 and run.length - run.size or 0)
  end

  local best
  for _, ranges in ipairs(groups_of(wish.ranges or WHOLE_HALL, wish.mix)) do
    local found, repaired = best_parts(ranges)
    if repaired then
      return nil, true
    end
    if found and (not best or found.parts < best.parts
        or found.parts == best.parts and found.singles < best.singles) then
      best = found
    end
  end
  if not best then
    return nil
  end
  local blocks = blocks_to_read(best)
  local runs = runs_to_compare(best, blocks)
  if not runs then
    return nil, true
  end
  locate(runs)
  local chosen = nearest_parts(runs, best)
  share_out(chosen)
  for i, run in ipairs(chosen) do
    run.first = part_start(run, chosen[i == 1 and 2 or 1])
  end
  table.sort(chosen, is_before)
  for i, run in ipairs(chosen) do
    chosen[i] = run.block .. ':' .. run.first .. '-' .. run.size
  end
  return table.concat(chosen, ',')
end
