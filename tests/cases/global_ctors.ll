; llvm.global_ctors by priority, and in order where it is the same; one is tied to a variable.
; stdout: 1 2 3
@llvm.global_ctors = appending global [3 x { i32, ptr, ptr }] [{ i32, ptr, ptr } { i32 65535, ptr @second, ptr null }, { i32, ptr, ptr } { i32 65535, ptr @third, ptr @value }, { i32, ptr, ptr } { i32 200, ptr @first, ptr null }]
@value = internal global i32 0
@format = private constant [4 x i8] c"%d \00"
@last = private constant [4 x i8] c"%d\0A\00"
declare i32 @printf(ptr, ...)

define internal void @first() {
  call i32 (ptr, ...) @printf(ptr @format, i32 1)
  ret void
}
define internal void @second() {
  call i32 (ptr, ...) @printf(ptr @format, i32 2)
  ret void
}
define internal void @third() {
  store i32 3, ptr @value
  ret void
}
define i32 @main() {
  %v = load i32, ptr @value
  call i32 (ptr, ...) @printf(ptr @last, i32 %v)
  ret i32 0
}
