-- One commit of one partition: all expected versions are compared first, then everything is
-- written. A script runs alone, so nobody sees or makes a change in between.
--
-- KEYS[1] the counters of the partition, KEYS[2] its deadlines, then the keys that the changes
-- name, in their order. ARGV is a flat list of changes:
--   p expected value      write KEYS[k]
--   P expected value id   write KEYS[k], note the id in the set KEYS[k + 1]
--   d expected            remove KEYS[k]
--   D expected id         remove KEYS[k], forget the id in the set KEYS[k + 1]
--   e expected            leave KEYS[k] as it is
--   s id due              set a deadline
--   c id                  remove a deadline
--   a log value           append to the stream KEYS[k], numbered by the counter of that name
-- `expected` is the 8 bytes of the version in front of the stored value, or empty for none.
--
-- Returns 0, or the number of the key in KEYS whose version was another.
local keys_of = { p = 1, P = 2, d = 1, D = 2, e = 1, s = 0, c = 0, a = 1 }
local args_of = { p = 3, P = 4, d = 2, D = 3, e = 2, s = 3, c = 2, a = 3 }

local k, a = 3, 1
while a <= #ARGV do
  local op = ARGV[a]
  if op == 'p' or op == 'P' or op == 'd' or op == 'D' or op == 'e' then
    if redis.call('GETRANGE', KEYS[k], 0, 7) ~= ARGV[a + 1] then
      return k
    end
  end
  k, a = k + keys_of[op], a + args_of[op]
end

-- The first write. When memory is full Redis refuses this one, before anything has changed; it
-- would let a removal pass and refuse what follows.
redis.call('HINCRBY', KEYS[1], 'commits', 1)

k, a = 3, 1
while a <= #ARGV do
  local op = ARGV[a]
  if op == 'p' then
    redis.call('SET', KEYS[k], ARGV[a + 2])
  elseif op == 'P' then
    redis.call('SET', KEYS[k], ARGV[a + 2])
    redis.call('SADD', KEYS[k + 1], ARGV[a + 3])
  elseif op == 'd' then
    redis.call('DEL', KEYS[k])
  elseif op == 'D' then
    redis.call('DEL', KEYS[k])
    redis.call('SREM', KEYS[k + 1], ARGV[a + 2])
  elseif op == 's' then
    redis.call('ZADD', KEYS[2], ARGV[a + 2], ARGV[a + 1])
  elseif op == 'c' then
    redis.call('ZREM', KEYS[2], ARGV[a + 1])
  elseif op == 'a' then
    local number = redis.call('HINCRBY', KEYS[1], ARGV[a + 1], 1)
    redis.call('XADD', KEYS[k], string.format('%.0f-0', number), 'v', ARGV[a + 2])
  end
  k, a = k + keys_of[op], a + args_of[op]
end
return 0
