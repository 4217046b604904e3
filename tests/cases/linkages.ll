; Linkages that C has no word for: private, available_externally, linkonce without users, extern_weak data, dso_local imports.
; stdout: 1 5 0 3
@hidden.private = private global i32 1
@unused = linkonce_odr global i32 9
@absent = extern_weak global i32
@format = private unnamed_addr constant [13 x i8] c"%d %d %d %d\0A\00"
declare dso_local i32 @printf(ptr, ...)
declare dso_local i64 @strlen(ptr)

define available_externally i32 @abs(i32 %x) {
  ret i32 5
}
define linkonce_odr i32 @never_called() {
  ret i32 0
}
define internal i32 @minus() noinline {
  %r = call i32 @abs(i32 -5)
  ret i32 %r
}

define i32 @main() {
  %a = load i32, ptr @hidden.private
  %b = call i32 @minus()
  %c1 = icmp ne ptr @absent, null
  %c = zext i1 %c1 to i32
  %l = call i64 @strlen(ptr getelementptr (i8, ptr @format, i64 9))
  %d0 = trunc i64 %l to i32
  %d = sub i32 %d0, 0
  call i32 (ptr, ...) @printf(ptr @format, i32 %a, i32 %b, i32 %c, i32 %d)
  ret i32 0
}
