; Calls that must be tail calls: a million of them in one frame's stack, two functions calling each other.
; stdout: 1000000
@format = private constant [4 x i8] c"%d\0A\00"
declare i32 @printf(ptr, ...)

define i32 @even(i32 %n, i32 %count) {
  %done = icmp eq i32 %n, 0
  br i1 %done, label %end, label %more
end:
  ret i32 %count
more:
  %m = sub i32 %n, 1
  %c = add i32 %count, 1
  %r = musttail call i32 @odd(i32 %m, i32 %c)
  ret i32 %r
}

define i32 @odd(i32 %n, i32 %count) noinline {
  %m = sub i32 %n, 1
  %c = add i32 %count, 1
  %r = musttail call i32 @even(i32 %m, i32 %c)
  ret i32 %r
}

define i32 @main() {
  %r = call i32 @even(i32 1000000, i32 0)
  call i32 (ptr, ...) @printf(ptr @format, i32 %r)
  ret i32 0
}
