; x86-64 has no code model of that name: refused as by llc, and not taken for another.
; larder-error: does not support the tiny CodeModel
define i32 @main() {
  ret i32 0
}
!llvm.module.flags = !{!0}
!0 = !{i32 1, !"Code Model", i32 0}
