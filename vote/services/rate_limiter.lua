--[[ Rate limits that all processes share: a leaky bucket per key as GCRA (ITU-T I.371, "virtual scheduling").

Key: vote:limit:<installation>:{<limit>}:<subject>   string. The moment, in microseconds of this server's clock, at which the bucket of
the subject will be empty again. It expires at that moment: an empty bucket is no key.

KEYS: the bucket. ARGV: microseconds in which one leaks out, how many fit, and how many to put in; fewer than 0 takes them out
again and is never refused. Answer: 0 when they went in, else the microseconds until they would.
]]
local key, interval, burst, cost = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local empty = math.max(now, tonumber(redis.call('GET', key) or now)) + interval * cost
local over = empty - now - interval * burst
if cost > 0 and over > 0 then
  return over
end
if empty > now then
  redis.call('SET', key, string.format('%.0f', empty), 'PX', math.ceil((empty - now) / 1000))
else
  redis.call('DEL', key)
end
return 0
