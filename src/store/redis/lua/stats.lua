-- stats: figures of one partition. Anyone.
-- KEYS  1 state  2 seq  3 quarantine  4 open  5..8 due:0..3; all {pNN}:    ARGV  none
-- Returns  {head, position, quarantined, four counts of open jobs, four oldest due times or ''}
-- Cost  O(log N)
local open = redis.call('HMGET', KEYS[4], 0, 1, 2, 3)
local out = {
  tonumber(redis.call('GET', KEYS[2]) or '0'),
  tonumber(redis.call('HGET', KEYS[1], 'pos') or '0'),
  redis.call('LLEN', KEYS[3]),
}
for i = 1, 4 do out[3 + i] = tonumber(open[i] or '0') end
for i = 1, 4 do out[7 + i] = redis.call('ZRANGE', KEYS[4 + i], 0, 0, 'WITHSCORES')[2] or '' end
return out
