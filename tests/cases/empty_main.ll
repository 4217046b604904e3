; Nothing but a value: no import, no data, no string.
; exit: 3
define i32 @main() {
  ret i32 3
}
