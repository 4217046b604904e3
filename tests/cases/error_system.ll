; A module for another operating system is refused by name.
; larder-error: windows
target triple = "x86_64-pc-windows-msvc"
define i32 @main() {
  ret i32 0
}
