-- announce: a node is alive; who else is? Anyone. Also makes the store's identity if it is missing (a new
-- store, or one that was emptied under us: its generation is another one then).
-- KEYS  1 {meta}:store  2 {meta}:nodes
-- ARGV  1 node, '' to announce nobody  2 takes partitions: '1' or '0'  3 random name  4 format  5 alive for ms
-- Returns  {store time, generation, format, live nodes that take partitions ...}
-- Cost  O(gateways)
-- Twice  the same
local t = now()
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'format', ARGV[4], 'generation', ARGV[3])
end
local s = redis.call('HMGET', KEYS[1], 'generation', 'format')
local out = { t, s[1] or '', s[2] or '' }
if ARGV[1] == '' then
  redis.call('HSET', KEYS[1], 'probe', t)
  return out
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. t)
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if tonumber(string.sub(all[i + 1], 2)) < t - tonumber(ARGV[5]) then
    redis.call('HDEL', KEYS[2], all[i])
  elseif string.sub(all[i + 1], 1, 1) == '1' then
    out[#out + 1] = all[i]
  end
end
return out
