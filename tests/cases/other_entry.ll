; --entry names another function than main; that there is no main doesn't matter.
; larder-flags: --entry start
; larder-only: the other ways begin at main
; exit: 11
define i32 @start() {
  ret i32 11
}
