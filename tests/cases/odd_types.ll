; Types that no register has: i1, i7, i65, i256, vectors of odd length, and a structure of them.
; stdout: 127 65 1 42
@format = private constant [13 x i8] c"%d %d %d %d\0A\00"
@wide = global i256 340282366920938463463374607431768211456
declare i32 @printf(ptr, ...)

define i7 @seven(i7 %x) noinline {
  %y = sub i7 %x, 1
  ret i7 %y
}

define { i65, <3 x i8> } @mixed(i65 %x) noinline {
  %a = insertvalue { i65, <3 x i8> } poison, i65 %x, 0
  %b = insertvalue { i65, <3 x i8> } %a, <3 x i8> <i8 40, i8 1, i8 2>, 1
  ret { i65, <3 x i8> } %b
}

define i32 @main() {
  %seven = call i7 @seven(i7 0)
  %a = zext i7 %seven to i32
  %m = call { i65, <3 x i8> } @mixed(i65 18446744073709551681)
  %m0 = extractvalue { i65, <3 x i8> } %m, 0
  %b = trunc i65 %m0 to i32
  %v = extractvalue { i65, <3 x i8> } %m, 1
  %v0 = extractelement <3 x i8> %v, i32 0
  %v2 = extractelement <3 x i8> %v, i32 2
  %d8 = add i8 %v0, %v2
  %d = zext i8 %d8 to i32
  %w = load i256, ptr @wide
  %shifted = lshr i256 %w, 128
  %c = trunc i256 %shifted to i32
  call i32 (ptr, ...) @printf(ptr @format, i32 %a, i32 %b, i32 %c, i32 %d)
  ret i32 0
}
