; IR without target triple and data layout is for the host.
; stdout: bare
@text = private constant [5 x i8] c"bare\00"
declare i32 @puts(ptr)

define i32 @main(i32 %argc, ptr %argv) {
  %r = call i32 @puts(ptr @text)
  ret i32 0
}
