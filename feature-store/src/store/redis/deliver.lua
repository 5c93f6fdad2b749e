-- Hands entries of a log to one consumer of a group: those whose lease ran out, then new ones.
--
-- KEYS[1] the stream, KEYS[2] the group's deliveries (a sorted set of sequences by the end of
-- their lease), KEYS[3] who holds them (a hash), KEYS[4] the last sequence handed out.
-- ARGV: now, the end of the new lease, how many at most, the consumer.
--
-- Returns entries as XRANGE does.
local entries = {}
local function hand_out(entry, sequence)
  redis.call('ZADD', KEYS[2], ARGV[2], sequence)
  redis.call('HSET', KEYS[3], sequence, ARGV[4])
  entries[#entries + 1] = entry
end

local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, sequence in ipairs(expired) do
  local id = sequence .. '-0'
  local found = redis.call('XRANGE', KEYS[1], id, id)
  if found[1] then
    hand_out(found[1], sequence)
  else
    redis.call('ZREM', KEYS[2], sequence)
    redis.call('HDEL', KEYS[3], sequence)
  end
end

local left = tonumber(ARGV[3]) - #entries
if left > 0 then
  local last = redis.call('GET', KEYS[4]) or '0'
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. last .. '-0', '+', 'COUNT', left)) do
    last = string.match(entry[1], '^%d+')
    hand_out(entry, last)
  end
  redis.call('SET', KEYS[4], last)
end
return entries
