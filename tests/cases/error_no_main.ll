; A module without the entry.
; larder-error: main
define i32 @other() {
  ret i32 0
}
