-- append: entries into one partition's journal, each with its mark. Anyone. (event -> journalled)
-- KEYS  1 {pNN}:seq  2 {pNN}:journal; the mark sets are {pNN}:m:KIND:GENERATION:BUCKET
-- ARGV  1 mark prefix  2 channel  3 partition, or '' for no wake  4 rewrite known marks: '1' or '0'
--       then six for each entry: kind, hash, bucket, keep ms, age ms, blob (see lib.lua, append)
-- Returns  store time, then for each entry its number or 0 (known)
-- Cost  O(1) an entry: SISMEMBER, SADD, SCARD, INCR, XADD; about 10 us
-- Twice  a known mark writes nothing; an entry without a mark is appended again
local t = now()
local out = { t }
local new = false
for i = 5, #ARGV, 6 do
  local n = append(KEYS[1], KEYS[2], ARGV[1], ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), ARGV[4],
    t - tonumber(ARGV[i + 4]), t, ARGV[i + 5])
  new = new or n > 0
  out[#out + 1] = n
end
if new and ARGV[3] ~= '' then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return out
