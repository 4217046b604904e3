; musttail of a variadic function (what clang's thunks of variadic members are), of byval and of sret arguments.
; stdout: 1 2.5 three 4 5 6 7 8.5
; stdout: 42
; stdout: 10 20 30
@numbers = private constant [33 x i8] c"%d %.1f %s %d %d %d %d %.1f\0A\00\00\00\00\00"
@one = private constant [4 x i8] c"%d\0A\00"
@three = private constant [10 x i8] c"%d %d %d\0A\00"
@word = private constant [6 x i8] c"three\00"
declare i32 @printf(ptr, ...)
%triple = type { i64, i64, i64 }

define i32 @thunk(ptr %format, ...) noinline {
  %r = musttail call i32 (ptr, ...) @printf(ptr %format, ...)
  ret i32 %r
}

define i64 @of_value(ptr byval(%triple) %t) noinline {
  %at = getelementptr %triple, ptr %t, i32 0, i32 2
  %r = load i64, ptr %at
  ret i64 %r
}
define i64 @passes_value(ptr byval(%triple) %t) noinline {
  %at = getelementptr %triple, ptr %t, i32 0, i32 2
  store i64 42, ptr %at
  %r = musttail call i64 @of_value(ptr byval(%triple) %t)
  ret i64 %r
}

define void @fill(ptr sret(%triple) %t, i64 %n) noinline {
  store i64 %n, ptr %t
  %second = getelementptr %triple, ptr %t, i32 0, i32 1
  %n2 = mul i64 %n, 2
  store i64 %n2, ptr %second
  %third = getelementptr %triple, ptr %t, i32 0, i32 2
  %n3 = mul i64 %n, 3
  store i64 %n3, ptr %third
  ret void
}
define void @passes_result(ptr sret(%triple) %t, i64 %n) noinline {
  %m = add i64 %n, 1
  musttail call void @fill(ptr sret(%triple) %t, i64 %m)
  ret void
}

define i32 @main() {
  %t = alloca %triple
  store %triple { i64 1, i64 2, i64 3 }, ptr %t
  call i32 (ptr, ...) @thunk(ptr @numbers, i32 1, double 2.5, ptr @word, i32 4, i32 5, i32 6, i32 7, double 8.5)
  %a = call i64 @passes_value(ptr byval(%triple) %t)
  call i32 (ptr, ...) @printf(ptr @one, i64 %a)
  call void @passes_result(ptr sret(%triple) %t, i64 9)
  %b = load i64, ptr %t
  %second = getelementptr %triple, ptr %t, i32 0, i32 1
  %c = load i64, ptr %second
  %third = getelementptr %triple, ptr %t, i32 0, i32 2
  %d = load i64, ptr %third
  call i32 (ptr, ...) @printf(ptr @three, i64 %b, i64 %c, i64 %d)
  ret i32 0
}
