; A mistake in the text: LLVM's message with file, line and column.
; larder-error: error_syntax.ll:5:
define i32 @main() {
  %x = add i32 1, 2
  %y = frobnicate i32 %x
  ret i32 %y
}
