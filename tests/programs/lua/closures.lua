-- Upvalues shared, captured fresh by each turn of a loop, and closed; tail calls; variable arguments.
local function counter(start)
  local n = start
  return function(step) n = n + (step or 1) return n end, function() return n end
end
local add, get = counter(10)
for i = 1, 5 do add(i) end
assert(get() == 25)

local captured = {}
for i = 1, 10 do captured[i] = function() i = i * 2 return i end end
for i = 1, 10 do assert(captured[i]() == i * 2 and captured[i]() == i * 4) end

local function loop(n, sum) if n == 0 then return sum end return loop(n - 1, sum + n) end
assert(loop(200000, 0) == 20000100000)

local function arguments(...) return select("#", ...), ... end
print(arguments(1, nil, 3, nil))
print(select(-2, "a", "b", "c"))
print(table.unpack({1, 2, 3, 4}, 2, 3))

local function y(f) return (function(x) return x(x) end)(function(x) return f(function(...) return x(x)(...) end) end) end
print(y(function(self) return function(n) return n < 2 and 1 or n * self(n - 1) end end)(20))

local function compose(...)
  local fs = table.pack(...)
  return function(x) for i = fs.n, 1, -1 do x = fs[i](x) end return x end
end
print(compose(function(x) return x + 1 end, function(x) return x * 2 end, tostring)("21"))

local code = {}
for i = 1, 300 do code[i] = ("local v%d = %d"):format(i % 190, i) end
local chunk = assert(load("local a = ... " .. "do " .. table.concat(code, " end do ") .. " end return a + 1"))
assert(chunk(41) == 42)
print(load("return (1 +"))
do
  local log = {}
  do
    local a <close> = setmetatable({}, {__close = function() log[#log + 1] = "a" end})
    local b <close> = setmetatable({}, {__close = function() log[#log + 1] = "b" end})
    log[#log + 1] = "body"
  end
  print(table.concat(log, " "))
end
goto finish
print("never printed")
::finish::
