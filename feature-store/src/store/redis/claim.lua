-- Moves deadlines of one partition that were found due.
--
-- KEYS[1] the deadlines. ARGV[1] the time to move them to, then pairs of an id and the time at
-- which it was found due. One that has changed since is left alone.
--
-- Returns the ids that were moved.
local claimed = {}
for a = 2, #ARGV, 2 do
  local due = redis.call('ZSCORE', KEYS[1], ARGV[a])
  if due and tonumber(due) == tonumber(ARGV[a + 1]) then
    redis.call('ZADD', KEYS[1], ARGV[1], ARGV[a])
    claimed[#claimed + 1] = ARGV[a]
  end
end
return claimed
