; A module for another architecture is refused by name.
; larder-error: aarch64
target triple = "aarch64-unknown-linux-gnu"
define i32 @main() {
  ret i32 0
}
