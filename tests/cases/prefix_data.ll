; Data before and at the start of a function, which stay next to its code.
; stdout: 123 45
@format = private constant [8 x i8] c"%d %d\0A\00\00"
declare i32 @printf(ptr, ...)

define i32 @tagged() noinline prefix i32 123 {
  ret i32 45
}

define i32 @main() {
  %before = getelementptr i8, ptr @tagged, i64 -4
  %a = load i32, ptr %before
  %b = call i32 @tagged()
  call i32 (ptr, ...) @printf(ptr @format, i32 %a, i32 %b)
  ret i32 0
}
