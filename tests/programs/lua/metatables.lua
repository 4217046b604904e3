-- Metatables: operators, inheritance, proxies, and every event at least once.
local Vector = {}
Vector.__index = Vector
local function vector(x, y) return setmetatable({x = x, y = y}, Vector) end
function Vector.__add(a, b) return vector(a.x + b.x, a.y + b.y) end
function Vector.__mul(a, b) return type(a) == "number" and vector(a * b.x, a * b.y) or a.x * b.x + a.y * b.y end
function Vector.__unm(a) return vector(-a.x, -a.y) end
function Vector.__eq(a, b) return a.x == b.x and a.y == b.y end
function Vector.__lt(a, b) return a.x < b.x end
function Vector.__le(a, b) return a.x <= b.x end
function Vector.__len() return 2 end
function Vector.__call(self, k) return self[k] end
function Vector.__tostring(a) return "(" .. a.x .. ", " .. a.y .. ")" end
function Vector.__concat(a, b) return tostring(a) .. tostring(b) end
function Vector.__idiv(a, n) return vector(a.x // n, a.y // n) end
function Vector.__shl(a, n) return vector(a.x << n, a.y << n) end
print(vector(1, 2) + vector(3, 4), 2 * vector(1, 2), vector(1, 2) * vector(3, 4), -vector(1, 2))
print(vector(1, 2) == vector(1, 2), vector(1, 2) < vector(2, 0), vector(1, 2) <= vector(1, 0), #vector(1, 2))
print(vector(5, 6)("y"), vector(1, 2) .. "!" .. vector(3, 4), vector(7, 9) // 2, vector(1, 2) << 3)

local Base = {name = "base"}
Base.__index = Base
function Base.new(class, o) return setmetatable(o or {}, class) end
function Base:who() return self.name .. " who" end
local classes = {Base}
for i = 2, 30 do
  local class = setmetatable({}, {__index = classes[i - 1]})
  class.__index = class
  classes[i] = class
end
print(classes[30].new(classes[30], {name = "thirtieth"}):who(), classes[30].new(classes[30]):who())

local log = {}
local proxy = setmetatable({}, {
  __index = function(_, k) log[#log + 1] = "get " .. tostring(k) return k end,
  __newindex = function(t, k, v) log[#log + 1] = "set " .. tostring(k) rawset(t, k, v) end,
  __pairs = function() return function(_, k) k = (k or 0) + 1 if k < 4 then return k, k * k end end, nil, nil end,
  __metatable = "locked",
})
proxy.a = 1
local _ = proxy.b, proxy.a
print(table.concat(log, ", "), getmetatable(proxy), pcall(setmetatable, proxy, {}))
for k, v in pairs(proxy) do io.write(k, "=", v, " ") end
print()

local default = setmetatable({}, {__index = function(t, k) local v = {} rawset(t, k, v) return v end})
default.x.y = 1
print(default.x.y, rawget(default, "z"), rawlen({1, 2}), rawequal(default.x, default.x))
local sum = 0
for i = 1, 100000 do local v = vector(i, 1) + vector(1, i) sum = sum + v.x - v.y end
print(sum)
