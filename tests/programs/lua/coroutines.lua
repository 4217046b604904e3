-- Coroutines: generators, errors across them, closing, wrapping, and many alive at once.
local function generate(n)
  return coroutine.wrap(function() for i = 1, n do coroutine.yield(i, i * i) end end)
end
local sum = 0
for _, square in generate(1000) do sum = sum + square end
print(sum)

local function permutations(list, n)
  n = n or #list
  if n <= 1 then coroutine.yield(table.concat(list)) return end
  for i = 1, n do
    list[n], list[i] = list[i], list[n]
    permutations(list, n - 1)
    list[n], list[i] = list[i], list[n]
  end
end
local found = {}
for word in coroutine.wrap(function() permutations({"a", "b", "c", "d"}) end) do found[#found + 1] = word end
table.sort(found)
print(#found, found[1], found[24])

local failing = coroutine.create(function(a) local b = coroutine.yield(a + 1) error({code = b}) end)
print(coroutine.resume(failing, 1))
local ok, failure = coroutine.resume(failing, 7)
print(ok, failure.code, coroutine.status(failing))
print(coroutine.resume(failing))

-- A yield across pcall, which unwinds and comes back.
local guarded = coroutine.wrap(function()
  local result = {pcall(function() coroutine.yield("inside") error("later", 0) end)}
  coroutine.yield(table.unpack(result))
  return "end"
end)
print(guarded())
print(guarded())
print(guarded())

local alive = {}
for i = 1, 2000 do
  alive[i] = coroutine.create(function(x) while true do x = coroutine.yield(x + i) end end)
end
local total = 0
for round = 1, 5 do
  for i = 1, #alive do total = total + select(2, coroutine.resume(alive[i], round)) end
end
print(total)
local closed = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() print("closed") end}) coroutine.yield() end)
coroutine.resume(closed)
print(coroutine.close(closed), coroutine.status(closed))
print(coroutine.isyieldable(), select(2, coroutine.running()))
