-- permit: takes from rolling windows, each ask by itself, in order. Anyone. The arithmetic of store/rolling.rs.
-- KEYS  1 {lim:CORP}; a window is the hash {lim:CORP}:w:MS:SCOPE (bucket number -> taken), a pause the string
--       {lim:CORP}:f:SCOPE
-- ARGV  1 buckets a window, then for each ask: number of scopes, then for each scope: name, number of windows, then
--       for each window: ms, limit
-- Returns  for each ask 0 (taken) or the earliest time at which it can be
-- Cost  O(51) a window: about 10 us; windows that several asks share are read once
-- Twice  takes twice: a permit that is not used is lost, which is the safe side
local t, buckets = now(), tonumber(ARGV[1])
local cache = {}

-- Reads a window: {key, ms, bucket ms, current bucket, sum, {bucket -> taken}}.
local function window(scope, ms)
  local key = KEYS[1] .. ':w:' .. ms .. ':' .. scope
  if cache[key] then return cache[key] end
  local len = math.max(math.floor((ms + buckets - 1) / buckets), 1)
  local w = { key = key, ms = ms, len = len, cur = math.floor(t / len), sum = 0, taken = {} }
  local all = redis.call('HGETALL', key)
  local ahead, stale = 0, {}
  for i = 1, #all, 2 do
    local b, c = tonumber(all[i]), tonumber(all[i + 1])
    if b > w.cur then
      ahead = ahead + c
      stale[#stale + 1] = all[i]
    elseif b < w.cur - buckets then
      stale[#stale + 1] = all[i]
    else
      w.taken[b] = c
      w.sum = w.sum + c
    end
  end
  if #stale > 0 then redis.call('HDEL', key, unpack(stale)) end
  if ahead > 0 then
    -- The clock was set back: what lies in the future counts as taken now.
    w.taken[w.cur] = (w.taken[w.cur] or 0) + ahead
    w.sum = w.sum + ahead
    redis.call('HSET', key, w.cur, w.taken[w.cur])
    redis.call('PEXPIRE', key, ms * 2)
  end
  cache[key] = w
  return w
end

local function wait(w, limit)
  if limit == 0 then return t + w.ms end
  local over = w.sum - limit + 1
  if over <= 0 then return 0 end
  for b = w.cur - buckets, w.cur do
    over = over - (w.taken[b] or 0)
    if over <= 0 then return (b + buckets + 1) * w.len end
  end
  return t + w.ms
end

local out, a = {}, 2
while a <= #ARGV do
  local at, room = 0, {}
  local scopes = tonumber(ARGV[a])
  a = a + 1
  for _ = 1, scopes do
    local scope, n = ARGV[a], tonumber(ARGV[a + 1])
    a = a + 2
    local frozen = tonumber(redis.call('GET', KEYS[1] .. ':f:' .. scope) or '0')
    if frozen > t then at = math.max(at, frozen) end
    for _ = 1, n do
      local w = window(scope, tonumber(ARGV[a]))
      at = math.max(at, wait(w, tonumber(ARGV[a + 1])))
      room[#room + 1] = w
      a = a + 2
    end
  end
  if at == 0 then
    for _, w in ipairs(room) do
      w.taken[w.cur] = (w.taken[w.cur] or 0) + 1
      w.sum = w.sum + 1
      redis.call('HINCRBY', w.key, w.cur, 1)
      redis.call('PEXPIRE', w.key, w.ms * 2)
    end
  end
  out[#out + 1] = at
end
return out
