//! Link options of the command.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins=-no-pie");
    // What the unwinder asks, and what debuggers look for even where the command is stripped.
    for name in ["_dl_find_object", "__jit_debug_register_code", "__jit_debug_descriptor"] {
        println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic-symbol={name}");
    }
}
