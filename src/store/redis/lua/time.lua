-- time: store time, where nothing else is asked.
-- KEYS  1 any key of the partition (for its slot)    ARGV  none    Returns  milliseconds    Cost  O(1)
return now()
