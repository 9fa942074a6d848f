#!lua name=votebox
--[[
The ballot log's functions. They decide about each ballot in one atomic step with the append.
`docs/protocol.md` defines the rules R1 to R11 that the comments cite.

Keys of shard n; the hash tag {n} keeps them in one slot of a cluster:
  vote:{n}:log       stream. Entry `<position>-0` has one field `e`: the entry's text (see entries.py).
  vote:{n}:state     hash. installation: the owner's id (R11); epoch: random name of this lifetime of the shard;
                     last: position of the newest entry; ready: run_id of the server instance it was made ready for
                     (R5); readied: the epoch it was made ready under; resumed_ms: time of being made ready again
                     under that epoch; set_back: the epoch in which it was found to lack acknowledged ballots (R6).
  vote:{n}:rules     hash. competition -> "version|state|opens_ms|closes_ms|change|keys", the rules as pushed (R7).
                     State `forgotten`: its voters were evicted; PostgreSQL has them.
  vote:{n}:read      string. Written by a worker before it waits for the replicas (log.py); nobody reads it.
  vote:{n}:voters:c  hash. voter -> choice: the stored ballots of competition c in this shard (R2).

Each call names the installation it is for (R11) and its deadline by this server's clock (R3), and answers
{now_ms, word, ...}. Words for a whole call:
  ok | expired: nothing was done, the deadline had passed | cold: nothing was done, the shard is not ready
  foreign: nothing was done, the call was for another epoch or server instance (R7)
  not_owner: nothing was done, the shard belongs to the installation named next, '' for none (R11)
  behind: nothing was done, the shard lacks acknowledged ballots; it is cold until a new epoch begins (R6).
]]

-- The instance's name cannot change while the server runs, and a restarted server loads this library again.
local instance = nil

local function run_id()
  if not instance then
    instance = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  end
  return instance
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function is_ready(state)
  return redis.call('HGET', state, 'ready') == run_id()
end

-- R11: return the answer that refuses a call for another installation than the shard's owner; nil for the owner.
local function refuse_stranger(state, installation, now)
  local owner = redis.call('HGET', state, 'installation') or ''
  if owner == '' or owner ~= installation then
    return { now, 'not_owner', owner }
  end
end

-- R6: stop taking ballots until a worker begins a new epoch, which leaves a gap row.
local function mark_set_back(state, epoch)
  redis.call('HSET', state, 'set_back', epoch)
  redis.call('HDEL', state, 'ready')
end

local function append(log, position, text)
  redis.call('XADD', log, string.format('%d-0', position), 'e', text)
end

local function parse_rules(text)
  local version, state, opens, closes, change, keys = string.match(text, '^(%d+)|(%a+)|(%d*)|(%d*)|([01])|(%a*)$')
  return {
    version = tonumber(version),
    state = state,
    opens = tonumber(opens),
    closes = tonumber(closes),
    change = change == '1',
    keys = keys,
  }
end

local function decide(rules, had, choice, now)
  if not rules or rules.state == 'archived' or rules.state == 'forgotten' then
    return 'unknown'  -- the web asks PostgreSQL for the answer
  elseif rules.state == 'scheduled' then
    return 'early'
  elseif rules.state ~= 'open' or (rules.closes and now >= rules.closes) then
    return 'closed'  -- R8: the log's own clock closes too, before any marker
  elseif not string.find(rules.keys, choice, 1, true) then
    return 'no_option'
  elseif had and not rules.change then
    return 'already'
  end
  return had and 'changed' or 'accepted'
end

--[[ Cast a batch of ballots.
KEYS: log, state, rules, then the voters' hash of each competition of the batch.
ARGV: installation, deadline_ms, waited (1 if a WAIT for replicas follows), epoch and position of the newest ballot that the
caller has acknowledged in this shard ('' and 0 for none), then per ballot: index of its voters' hash in KEYS, competition,
voter, choice, ballot id.
Answer: {now_ms, 'ok', epoch, position before the batch, a word per ballot}; appended ballots have the next positions in
order. Words: accepted, changed (appended); again, already, early, closed, no_option, unknown (nothing was done). ]]
local function cast(keys, args)
  local log, state, now = keys[1], keys[2], now_ms()
  local owner, epoch, last, ready = unpack(redis.call('HMGET', state, 'installation', 'epoch', 'last', 'ready'))
  if owner and owner ~= args[1] then
    return { now, 'not_owner', owner }  -- R11
  elseif now > tonumber(args[2]) then
    return { now, 'expired' }
  elseif not owner or ready ~= run_id() then
    return { now, 'cold' }
  end
  local before = tonumber(last or 0)
  if args[4] == epoch and before < tonumber(args[5]) then
    mark_set_back(state, epoch)
    return { now, 'behind' }
  end
  local position, known, answer = before, {}, { now, 'ok', epoch, before }
  for i = 6, #args, 5 do
    local voters, competition, voter, choice, id = keys[tonumber(args[i])], unpack(args, i + 1, i + 4)
    local had = redis.call('HGET', voters, voter)
    local word
    if had == choice then
      word = 'again'  -- R2: the stored ballot comes before every other check
    else
      if known[competition] == nil then
        local text = redis.call('HGET', keys[3], competition)
        known[competition] = text and parse_rules(text) or false
      end
      word = decide(known[competition], had, choice, now)
      if word == 'accepted' or word == 'changed' then
        position = position + 1
        append(log, position, table.concat({ 'ballot', id, competition, voter, choice, now }, ' '))
        redis.call('HSET', voters, voter, choice)
      end
    end
    answer[#answer + 1] = word
  end
  if position > before or args[3] == '1' then
    -- R1: WAIT counts from this connection's last write, so `again` writes too: the first append may not have arrived.
    redis.call('HSET', state, 'last', position)
  end
  return answer
end

-- Return whether the entry acknowledged at this position is here. A position below all entries was trimmed (R9).
local function holds(log, last, position, id)
  if last < position then
    return false
  end
  local stream_id = string.format('%d-0', position)
  local entry = redis.call('XRANGE', log, stream_id, '+', 'COUNT', 1)[1]
  if not entry then
    return false
  elseif entry[1] == stream_id then
    return string.match(entry[2][2], '^%a+ (%S+)') == id
  end
  return #redis.call('XRANGE', log, '-', stream_id, 'COUNT', 1) == 0
end

--[[ Compare a mark, the newest ballot that a process has acknowledged in this shard, with the shard's entries (R6).
KEYS: log, state. ARGV: installation, the mark's epoch, position and ballot id. Answer: {now_ms, 'ok' or 'behind'}. A mark
of another epoch is not compared: a gap row covers it. ]]
local function compare(keys, args)
  local log, state, now = keys[1], keys[2], now_ms()
  local refused = refuse_stranger(state, args[1], now)
  if refused then
    return refused
  end
  local epoch, last, set_back = unpack(redis.call('HMGET', state, 'epoch', 'last', 'set_back'))
  if epoch ~= args[2] then
    return { now, 'ok' }
  elseif set_back == epoch then
    return { now, 'behind' }
  elseif holds(log, tonumber(last or 0), tonumber(args[3]), args[4]) then
    return { now, 'ok' }
  end
  mark_set_back(state, epoch)
  return { now, 'behind' }
end

-- R7: accept a push only in time, for its own epoch and instance, and in a ready shard unless the push warms it.
-- `args` begin with installation, deadline_ms, epoch, instance. Returns the refusing answer, or nil.
local function refuse_push(state, now, args, warming)
  local stranger = refuse_stranger(state, args[1], now)
  if stranger then
    return stranger
  elseif now > tonumber(args[2]) then
    return { now, 'expired' }
  elseif redis.call('HGET', state, 'epoch') ~= args[3] or run_id() ~= args[4] then
    return { now, 'foreign' }
  elseif warming ~= '1' and not is_ready(state) then
    return { now, 'cold' }
  end
end

--[[ Push rules of competitions; each accepted one also becomes a log entry: opening, closing marker (R8), change.
KEYS: log, state, rules. ARGV: installation, deadline_ms, epoch, instance, warming, then per competition: competition, rules,
entry id. Answer: {now_ms, 'ok', number accepted, forgotten competition, …}. A version that is not higher than the present
one is skipped (R7). A forgotten competition stays forgotten under any rules: its voters could vote again. ]]
local function push_rules(keys, args)
  local log, state, rules, now = keys[1], keys[2], keys[3], now_ms()
  local refused = refuse_push(state, now, args, args[5])
  if refused then
    return refused
  end
  local position, taken, answer = tonumber(redis.call('HGET', state, 'last') or 0), 0, { now, 'ok', 0 }
  for i = 6, #args, 3 do
    local competition, text, id = unpack(args, i, i + 2)
    local pushed, present = parse_rules(text), redis.call('HGET', rules, competition)
    local known = present and parse_rules(present)
    local is_forgotten = known and known.state == 'forgotten'
    if is_forgotten then
      answer[#answer + 1] = tonumber(competition)
    end
    if not known or pushed.version > known.version then
      position, taken = position + 1, taken + 1
      redis.call('HSET', rules, competition, is_forgotten and pushed.version .. '|forgotten|||0|' or text)
      append(log, position, table.concat({ 'rules', id, competition, text }, ' '))
    end
  end
  if taken > 0 then
    redis.call('HSET', state, 'last', position)
  end
  answer[3] = taken
  return answer
end

--[[ Push recorded voters from PostgreSQL, while a shard of a new epoch is made ready (R5).
KEYS: state, the competition's voters. ARGV: installation, deadline_ms, epoch, instance, then voter, choice, … ]]
local function push_voters(keys, args)
  local now = now_ms()
  local refused = refuse_push(keys[1], now, args, '1')
  if refused then
    return refused
  elseif is_ready(keys[1]) then
    return { now, 'foreign' }  -- another worker has made it ready: the shard's own voters are newer
  end
  redis.call('HSET', keys[2], unpack(args, 5))
  return { now, 'ok' }
end

--[[ Begin a new epoch of a shard: after the very first start, a wiped log or a lost tail (R5, R6). It is cold afterwards.
KEYS: state. ARGV: installation, deadline_ms, the old epoch ('' for none), instance, the new epoch. ]]
local function begin_epoch(keys, args)
  local now = now_ms()
  local refused = refuse_stranger(keys[1], args[1], now)
  if refused then
    return refused
  elseif now > tonumber(args[2]) then
    return { now, 'expired' }
  elseif (redis.call('HGET', keys[1], 'epoch') or '') ~= args[3] or run_id() ~= args[4] then
    return { now, 'foreign' }
  end
  redis.call('HSET', keys[1], 'epoch', args[5])
  redis.call('HDEL', keys[1], 'ready')
  return { now, 'ok' }
end

--[[ Mark a shard ready for this server instance (R5). KEYS: state. ARGV: installation, deadline_ms, epoch, instance. ]]
local function make_ready(keys, args)
  local state, now = keys[1], now_ms()
  local refused = refuse_push(state, now, args, '1')
  if refused then
    return refused
  end
  local epoch, readied, set_back = unpack(redis.call('HMGET', state, 'epoch', 'readied', 'set_back'))
  if set_back == epoch then
    return { now, 'foreign' }  -- R6: a comparison has failed meanwhile; a new epoch must begin first
  elseif readied == epoch then
    redis.call('HSET', state, 'resumed_ms', now)
  else
    redis.call('HSET', state, 'readied', epoch)
    redis.call('HDEL', state, 'resumed_ms')
  end
  redis.call('HSET', state, 'ready', run_id())
  return { now, 'ok' }
end

--[[ Append a person's erasure, so that a replay erases again (R10).
KEYS: log, state. ARGV: installation, deadline_ms, epoch, instance, voter, entry id. ]]
local function erase(keys, args)
  local now = now_ms()
  local refused = refuse_push(keys[2], now, args, '0')
  if refused then
    return refused
  end
  local position = redis.call('HINCRBY', keys[2], 'last', 1)
  append(keys[1], position, table.concat({ 'erase', args[6], args[5] }, ' '))
  return { now, 'ok' }
end

--[[ Trim a shard strictly below a position; the entry at the position stays, to be compared after a restart (R6, R9).
KEYS: log, state. ARGV: installation, deadline_ms, epoch, instance, position. Answer: {now_ms, 'ok', entries removed} ]]
local function trim(keys, args)
  local now = now_ms()
  local refused = refuse_push(keys[2], now, args, '0')
  if refused then
    return refused
  end
  return { now, 'ok', redis.call('XTRIM', keys[1], 'MINID', args[5] .. '-0') }
end

--[[ Forget the voters of competitions that are final, safe in PostgreSQL and past reopening. The version stays, so that a
late push of older rules is still refused (R7). A competition with newer rules here is skipped.
KEYS: state, rules, then the voters of each competition. ARGV: installation, deadline_ms, epoch, instance, warming, then
competition, version, … ]]
local function forget(keys, args)
  local now = now_ms()
  local refused = refuse_push(keys[1], now, args, args[5])
  if refused then
    return refused
  end
  for i = 6, #args, 2 do
    local present = redis.call('HGET', keys[2], args[i])
    if not present or parse_rules(present).version <= tonumber(args[i + 1]) then
      redis.call('HSET', keys[2], args[i], args[i + 1] .. '|forgotten|||0|')
      redis.call('UNLINK', keys[(i - 6) / 2 + 3])
    end
  end
  return { now, 'ok' }
end

--[[ Claim a shard without an owner for an installation, in the epoch that the caller knows (R11).
KEYS: state. ARGV: installation, the shard's epoch ('' for none). ]]
local function claim(keys, args)
  local state, now = keys[1], now_ms()
  local owner, epoch = unpack(redis.call('HMGET', state, 'installation', 'epoch'))
  if owner == args[1] then
    return { now, 'ok' }
  elseif owner or (epoch or '') ~= args[2] then
    return { now, 'not_owner', owner or '' }
  end
  redis.call('HSET', state, 'installation', args[1])
  return { now, 'ok' }
end

--[[ Take a shard over from another installation: it is emptied and gets a new epoch, so that no entry of the former owner is
ever read as the new owner's (R11). Refused if the shard does not belong to the named former owner (any more).
KEYS: log, state, rules, read. ARGV: installation, the former one ('' for none), the new epoch, the prefix of the names of
voters' hashes. ]]
local function adopt(keys, args)
  local state, now = keys[2], now_ms()
  local owner = redis.call('HGET', state, 'installation') or ''
  if owner ~= args[2] or owner == args[1] then
    return { now, 'not_owner', owner }
  end
  for _, competition in ipairs(redis.call('HKEYS', keys[3])) do
    redis.call('UNLINK', args[4] .. competition)  -- in the slot of the keys above
  end
  redis.call('UNLINK', unpack(keys))
  redis.call('HSET', state, 'installation', args[1], 'epoch', args[3])
  return { now, 'ok' }
end

--[[ Count the voters with a stored ballot of a competition. Under rules by which the shard takes no ballots, the count stays
valid as long as the rules do: accepting and counting cannot overlap. Version 0: under any rules.
KEYS: state, rules, the competition's voters. ARGV: installation, deadline_ms, epoch, instance, competition, version of the
rules.
Answer: {now_ms, 'ok', number of voters} ]]
local function count_voters(keys, args)
  local now = now_ms()
  local refused = refuse_push(keys[1], now, args, '0')
  if refused then
    return refused
  end
  local present = redis.call('HGET', keys[2], args[5])
  if args[6] ~= '0' and not (present and parse_rules(present).version == tonumber(args[6])) then
    return { now, 'foreign' }
  end
  return { now, 'ok', redis.call('HLEN', keys[3]) }
end

--[[ Describe a shard. KEYS: state.
Answer: {now_ms, 'ok', epoch ('' for none), instance, last position, instance it was made ready for ('' for none),
installation ('' for none), epoch in which it was set back ('' for none), time at which it was made ready again (0: never
in its epoch)} ]]
local function describe(keys)
  local said = redis.call('HMGET', keys[1], 'epoch', 'last', 'ready', 'installation', 'set_back', 'resumed_ms')
  local epoch, last, ready, installation, set_back, resumed = unpack(said)
  return {
    now_ms(), 'ok', epoch or '', run_id(), tonumber(last or 0), ready or '', installation or '', set_back or '',
    tonumber(resumed or 0),
  }
end

redis.register_function('vote_cast', cast)
redis.register_function('vote_compare', compare)
redis.register_function('vote_claim', claim)
redis.register_function('vote_adopt', adopt)
redis.register_function('vote_push_rules', push_rules)
redis.register_function('vote_push_voters', push_voters)
redis.register_function('vote_begin_epoch', begin_epoch)
redis.register_function('vote_make_ready', make_ready)
redis.register_function('vote_erase', erase)
redis.register_function('vote_trim', trim)
redis.register_function('vote_forget', forget)
redis.register_function { function_name = 'vote_count_voters', callback = count_voters, flags = { 'no-writes' } }
redis.register_function { function_name = 'vote_describe', callback = describe, flags = { 'no-writes' } }
