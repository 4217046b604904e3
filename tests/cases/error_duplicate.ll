; The same name twice.
; larder-error: invalid redefinition of function 'twice'
define i32 @twice() {
  ret i32 0
}
define i32 @twice() {
  ret i32 1
}
define i32 @main() {
  ret i32 0
}
