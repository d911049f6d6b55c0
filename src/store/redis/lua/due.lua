-- due: jobs of one lane whose time has come. Owner's read.
-- KEYS  1 {pNN}:due:LANE  2 {pNN}:jobs
-- ARGV  1 how many at most (<= 1,000: one unpack)
-- Returns  {store time, due time of the next one that is not listed or '', id, packed job, id, packed job ...}
-- Cost  O(log N + listed)
local t, max = now(), tonumber(ARGV[1])
local out = { t, '' }
local ids = {}
if max > 0 then ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', t, 'LIMIT', 0, max) end
if #ids > 0 then
  local jobs = redis.call('HMGET', KEYS[2], unpack(ids))
  for i, id in ipairs(ids) do
    if jobs[i] then
      out[#out + 1] = id
      out[#out + 1] = jobs[i]
    end
  end
end
out[2] = redis.call('ZRANGE', KEYS[1], #ids, #ids, 'WITHSCORES')[2] or ''
return out
