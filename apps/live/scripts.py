"""The scripts that run inside Redis. One script appends and announces: an announcement never outruns its entry."""

from __future__ import annotations

# Appends for many turns at once (whatever was due when the last call came back).
#   KEYS  per turn: its stream, the running turns of its topic (hash turn → last status)
#   ARGV  expiry ms, longest inline announcement, then per turn: turn, channel, fence, first seq, "a"ppend or "r"eset, n, n entries
# Answers per turn {code, last fence, last seq}: 0 appended · 1 a newer owner has written · 2 the next seq is another one.
# A reset starts the stream anew with an entry that carries the whole parts: after it nothing older is needed.
APPEND = """
local out = {}
local a = 3
for k = 1, #KEYS, 2 do
  local turn, channel = ARGV[a], ARGV[a + 1]
  local fence, first = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  local reset, n = ARGV[a + 4] == 'r', tonumber(ARGV[a + 5])
  local at = a + 6
  a = at + n
  local lf, ls = 0, 0
  local last = redis.call('XREVRANGE', KEYS[k], '+', '-', 'COUNT', 1)[1]
  if last then
    local f, s = string.match(last[1], '^(%d+)%-(%d+)$')
    lf, ls = tonumber(f), tonumber(s)
  end
  if fence < lf then
    out[#out + 1] = {1, lf, ls}
  elseif (reset and first <= ls) or (not reset and first ~= ls + 1) then
    out[#out + 1] = {2, lf, ls}
  else
    if reset then redis.call('DEL', KEYS[k]) end
    for i = 0, n - 1 do
      redis.call('XADD', KEYS[k], fence .. '-' .. (first + i), 'd', ARGV[at + i])
    end
    redis.call('PEXPIRE', KEYS[k], ARGV[1])
    if reset or first == 1 then
      redis.call('HSETNX', KEYS[k + 1], turn, '{"state":"running"}')
      redis.call('PEXPIRE', KEYS[k + 1], ARGV[1])
    end
    local span = '{"k":"d","turn":"' .. turn .. '","from":' .. first .. ',"seq":' .. (first + n - 1)
    local body = table.concat(ARGV, ',', at, at + n - 1)
    if #body <= tonumber(ARGV[2]) then
      redis.call('PUBLISH', channel, span .. ',"entries":[' .. body .. ']}')
    else
      redis.call('PUBLISH', channel, span .. '}')
    end
    out[#out + 1] = {0, fence, first + n - 1}
  end
end
return out
"""

# KEYS stream · ARGV seq that the reader has, longest answer. Gives {last fence, last seq, entries…}.
# Ids sort by fence first, so what a reader lacks starts at ``<last fence>-<seq + 1>`` unless an earlier owner wrote part of it.
READ = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last then return {0, 0} end
local f, s = string.match(last[1], '^(%d+)%-(%d+)$')
local after = tonumber(ARGV[1])
local out = {tonumber(f), tonumber(s)}
if out[2] <= after then return out end
local rows = redis.call('XRANGE', KEYS[1], f .. '-' .. (after + 1), '+', 'COUNT', ARGV[2])
local first = tonumber(string.match(rows[1][1], '%-(%d+)$'))
if first ~= after + 1 then rows = redis.call('XRANGE', KEYS[1], '-', '+') end
for _, row in ipairs(rows) do
  if tonumber(string.match(row[1], '%-(%d+)$')) > after then out[#out + 1] = row[2][2] end
end
return out
"""
