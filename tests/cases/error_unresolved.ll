; Symbols that nobody defines are all named, before anything runs.
; larder-error: missing_function
; larder-error: missing_variable
@missing_variable = external global i32
@text = private constant [8 x i8] c"not run\00"
declare i32 @missing_function()
declare i32 @puts(ptr)
define i32 @main() {
  %p = call i32 @puts(ptr @text)
  %x = call i32 @missing_function()
  %y = load i32, ptr @missing_variable
  %z = add i32 %x, %y
  ret i32 %z
}
