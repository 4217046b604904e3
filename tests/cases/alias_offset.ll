; An alias into the middle of a variable, as merged globals make.
; skip-lli: orc takes the alias for as long as the variable
; stdout: 7 9
@pair = internal global [2 x i32] [i32 7, i32 9]
@second = alias i32, getelementptr inbounds ([2 x i32], ptr @pair, i64 0, i64 1)
@format = private constant [7 x i8] c"%d %d\0A\00"

declare i32 @printf(ptr, ...)

define i32 @main() {
  %a = load i32, ptr @pair
  %b = load i32, ptr @second
  call i32 (ptr, ...) @printf(ptr @format, i32 %a, i32 %b)
  ret i32 0
}
