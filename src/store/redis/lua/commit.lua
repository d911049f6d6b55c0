-- commit: one atomic step of a partition's owner. (journalled -> decided; job: open -> started -> deferred/ended)
-- KEYS  1 state  2 seq  3 journal  4 jobs  5 next  6 open  7 history  8 quarantine  9 counters
--       10..13 due:0..3 (lanes)  14.. documents; all {pNN}:
-- ARGV  1 epoch  2 nonce  3 expected position  4 new position  5 keep ms of decided entries  6 mark prefix
--       7..14 how many of each list, then the lists:
--       jobs: id, lane, due, id before or '', blob · starts: id, '1'|'0', blob · defers: id, due, refused '1'|'0',
--       '1'|'0', blob · ends: id, record · documents: '1'|'0', ttl ms or 0 = for ever, value · own entries: kind,
--       hash, bucket, keep, blob · quarantine: packed · counters: name, by
-- Returns  {store time, head, released follower ids ...}; errors LOST (fence) and REFUSED, both before any write
-- Cost  O(log N) an element; about 2 us each; at most 256 a list
-- Twice  the second finds another position: LOST
-- A job's value is packed: lane, due, tries, attempts, time of the start, length of the nonce, nonce, blob.
-- A follower is not in its lane's `due` but in `next` under the id before it, until that one ends.
local HEAD = '>Bi8I4I4i8B'
local function unpack_job(v)
  local lane, due, tries, attempts, started, len, at = struct.unpack(HEAD, v)
  return { lane, due, tries, attempts, started, string.sub(v, at, at + len - 1), string.sub(v, at + len) }
end
local function pack_job(j)
  return struct.pack(HEAD, j[1], j[2], j[3], j[4], j[5], #j[6]) .. j[6] .. j[7]
end

-- The fence.
local s = redis.call('HMGET', KEYS[1], 'epoch', 'nonce', 'pos')
if s[1] ~= ARGV[1] or s[2] ~= ARGV[2] or s[2] == '' then
  return redis.error_reply('LOST ' .. KEYS[1] .. ' has epoch ' .. (s[1] or '0') .. ', ours is ' .. ARGV[1])
end
if (s[3] or '0') ~= ARGV[3] then
  return redis.error_reply('LOST ' .. KEYS[1] .. ' is at ' .. (s[3] or '0') .. ', expected ' .. ARGV[3])
end
local head = tonumber(redis.call('GET', KEYS[2]) or '0')
local expected, position = tonumber(ARGV[3]), tonumber(ARGV[4])
if position < expected then
  return redis.error_reply('REFUSED position ' .. ARGV[4] .. ' is before ' .. ARGV[3])
end
-- Decided what the journal does not have: the server has lost its tail.
if position > head then
  return redis.error_reply('LOST ' .. KEYS[1] .. ' ends at ' .. head .. ', decided up to ' .. ARGV[4])
end

-- Types of what will be written.
local count = {}
for i = 1, 8 do count[i] = tonumber(ARGV[6 + i]) end
local odd
local function need(key, want)
  if not is(key, want) then odd = key .. ' is no ' .. want end
end
if count[1] + count[2] + count[3] + count[4] > 0 then
  for i = 4, 6 do need(KEYS[i], 'hash') end
  for i = 10, 13 do need(KEYS[i], 'zset') end
  need(KEYS[7], 'list')
end
if count[6] > 0 or position > expected then need(KEYS[3], 'stream') end
if count[7] > 0 then need(KEYS[8], 'list') end
if count[8] > 0 then need(KEYS[9], 'hash') end
if odd then return redis.error_reply('REFUSED ' .. odd) end

-- New jobs: no id twice, no second follower.
local a = 15
local fresh, followed = {}, {}
for i = 0, count[1] - 1 do
  local id, before = ARGV[a + i * 5], ARGV[a + i * 5 + 3]
  local taken = fresh[id] or redis.call('HEXISTS', KEYS[4], id) == 1
  if before ~= '' and not taken and (fresh[before] or redis.call('HEXISTS', KEYS[4], before) == 1) then
    local f = redis.call('HGET', KEYS[5], before)
    taken = followed[before] or (f and redis.call('HEXISTS', KEYS[4], f) == 1)
    followed[before] = true
  end
  if taken then
    return redis.error_reply('REFUSED a job is there already, or another one waits for the same')
  end
  fresh[id] = true
end

-- From here on everything is written.
local t = now()
for _ = 1, count[1] do
  local id, lane, due, before = ARGV[a], tonumber(ARGV[a + 1]), ARGV[a + 2], ARGV[a + 3]
  local waits = before ~= '' and redis.call('HEXISTS', KEYS[4], before) == 1
  redis.call('HSET', KEYS[4], id, pack_job({ lane, tonumber(due), 0, 0, 0, '', ARGV[a + 4] }))
  redis.call('HINCRBY', KEYS[6], lane, 1)
  if waits then
    redis.call('HSET', KEYS[5], before, id)
  else
    redis.call('ZADD', KEYS[10 + lane], due, id)
  end
  a = a + 5
end
for _ = 1, count[2] do
  local v = redis.call('HGET', KEYS[4], ARGV[a])
  if v then
    local j = unpack_job(v)
    if j[6] == '' then j[5] = t end
    j[3], j[4], j[6] = j[3] + 1, j[4] + 1, ARGV[2]
    if ARGV[a + 1] == '1' then j[7] = ARGV[a + 2] end
    redis.call('HSET', KEYS[4], ARGV[a], pack_job(j))
  end
  a = a + 3
end
for _ = 1, count[3] do
  local v = redis.call('HGET', KEYS[4], ARGV[a])
  if v then
    local j = unpack_job(v)
    j[2] = tonumber(ARGV[a + 1])
    if ARGV[a + 2] == '1' then
      if j[3] < 2 then j[3], j[5], j[6] = 0, 0, '' else j[3] = j[3] - 1 end
    end
    if ARGV[a + 3] == '1' then j[7] = ARGV[a + 4] end
    redis.call('HSET', KEYS[4], ARGV[a], pack_job(j))
    -- XX: a job that waits for another one is not among the due ones, and stays so.
    redis.call('ZADD', KEYS[10 + j[1]], 'XX', j[2], ARGV[a])
  end
  a = a + 5
end
local out, ended = { t, 0 }, {}
for i = 0, count[4] - 1 do ended[ARGV[a + i * 2]] = true end
for _ = 1, count[4] do
  local id = ARGV[a]
  local v = redis.call('HGET', KEYS[4], id)
  if v then
    local lane = string.byte(v, 1)
    redis.call('HDEL', KEYS[4], id)
    redis.call('ZREM', KEYS[10 + lane], id)
    redis.call('HINCRBY', KEYS[6], lane, -1)
    redis.call('LPUSH', KEYS[7], ARGV[a + 1])
    local f = redis.call('HGET', KEYS[5], id)
    if f then
      redis.call('HDEL', KEYS[5], id)
      local w = redis.call('HGET', KEYS[4], f)
      if w then
        local flane, fdue = struct.unpack('>Bi8', w)
        redis.call('ZADD', KEYS[10 + flane], fdue, f)
        if not ended[f] then out[#out + 1] = f end
      end
    end
  end
  a = a + 2
end
if count[4] > 0 then redis.call('LTRIM', KEYS[7], 0, 999) end
for i = 1, count[5] do
  if ARGV[a] == '0' then
    redis.call('DEL', KEYS[13 + i])
  elseif ARGV[a + 1] == '0' then
    redis.call('SET', KEYS[13 + i], ARGV[a + 2])
  else
    redis.call('SET', KEYS[13 + i], ARGV[a + 2], 'PX', ARGV[a + 1])
  end
  a = a + 3
end
for _ = 1, count[6] do
  local n = append(KEYS[2], KEYS[3], ARGV[6], ARGV[a], ARGV[a + 1], ARGV[a + 2], tonumber(ARGV[a + 3]), '0', t, t,
    ARGV[a + 4])
  if n > 0 then head = n end
  a = a + 5
end
for _ = 1, count[7] do
  redis.call('RPUSH', KEYS[8], ARGV[a])
  a = a + 1
end
for _ = 1, count[8] do
  redis.call('HINCRBY', KEYS[9], ARGV[a], ARGV[a + 1])
  a = a + 2
end
if position > expected then
  redis.call('HSET', KEYS[1], 'pos', ARGV[4])
  -- Every 16th number: drop what was decided and accepted long ago, more than came since.
  if math.floor(position / 16) > math.floor(expected / 16) then
    local last
    for _, e in ipairs(redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 64)) do
      local n = tonumber(string.match(e[1], '^%d+'))
      if n > position or tonumber(e[2][2]) >= t - tonumber(ARGV[5]) then break end
      last = n
    end
    if last then redis.call('XTRIM', KEYS[3], 'MINID', (last + 1) .. '-0') end
  end
end
out[2] = head
return out
