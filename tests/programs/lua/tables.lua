-- Tables: array and hash parts, holes, sorting by every order, moving, iteration while clearing.
local list = {}
for i = 1, 10000 do list[i] = (i * 7919) % 10007 end
table.sort(list)
for i = 2, #list do assert(list[i - 1] <= list[i]) end
table.sort(list, function(a, b) return a > b end)
print(list[1], list[5000], list[10000])
print(pcall(table.sort, {3, 1, 2, 5, 4}, function() return true end))

local words = {}
for word in ("the quick brown fox jumps over the lazy dog and runs"):gmatch("%a+") do words[#words + 1] = word end
table.sort(words, function(a, b) if #a ~= #b then return #a < #b end return a < b end)
print(table.concat(words, " "))

local t = {1, 2, 3}
table.insert(t, 4)
table.insert(t, 1, 0)
print(table.concat(t, ","), table.remove(t), table.remove(t, 1), table.concat(t, ","), table.remove({}), #t)
print(table.concat(table.move({1, 2, 3}, 1, 3, 3), ","), table.unpack(table.move({1, 2, 3}, 2, 3, 1)))
print(select("#", table.unpack({}, 1, 3)), table.pack(1, nil, 3).n, pcall(table.concat, {1, {}, 3}), pcall(table.insert, {}, 5, 1))

local sparse = {}
for i = 1, 1 << 20, 4099 do sparse[i] = i end
local sum = 0
for k, v in pairs(sparse) do assert(k == v) sum = sum + v end
print(sum)
for k in pairs(sparse) do sparse[k] = nil end
print(next(sparse), pcall(next, {}, "missing"))

local mixed = {[1] = "one", [2.0] = "two", [3.5] = "float", x = "string", [true] = "boolean", [print] = "function"}
print(mixed[1.0], mixed[2], mixed[3.5], mixed.x, mixed[true], mixed[print], #mixed)
print(pcall(function() mixed[nil] = 1 end), pcall(function() mixed[0 / 0] = 1 end), mixed[nil])

local function matrix(n, f) local m = {} for i = 1, n do m[i] = {} for j = 1, n do m[i][j] = f(i, j) end end return m end
local function product(a, b, n)
  return matrix(n, function(i, j) local s = 0 for k = 1, n do s = s + a[i][k] * b[k][j] end return s end)
end
local n = 40
local p = product(matrix(n, function(i, j) return i + j end), matrix(n, function(i, j) return i - j end), n)
print(p[1][1], p[20][30], p[n][n])

local queue, first, last = {}, 1, 0
for i = 1, 100000 do
  last = last + 1
  queue[last] = i
  if i % 3 ~= 0 then queue[first] = nil first = first + 1 end
end
print(last - first + 1, queue[first], queue[last])
local keys = {}
for k in pairs {c = 1, a = 2, b = 3} do keys[#keys + 1] = k end
table.sort(keys)
print(table.concat(keys))
for i, v in ipairs {1, 2, nil, 4} do io.write(i, "=", v, " ") end
print()
