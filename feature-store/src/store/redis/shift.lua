-- Moves times of a sorted set that are still as they were read: deadlines that were found due, and
-- the ends of leases.
--
-- KEYS[1] the set. ARGV[1] the time to move them to, then pairs of a member and the time that it was
-- read with. One that has changed since, or is gone, is left alone.
--
-- Returns the members that were moved.
local moved = {}
for a = 2, #ARGV, 2 do
  local time = redis.call('ZSCORE', KEYS[1], ARGV[a])
  if time and tonumber(time) == tonumber(ARGV[a + 1]) then
    redis.call('ZADD', KEYS[1], ARGV[1], ARGV[a])
    moved[#moved + 1] = ARGV[a]
  end
end
return moved
