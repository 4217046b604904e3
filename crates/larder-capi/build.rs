//! Gives the shared library the name that programs ask the dynamic linker for. It changes when a release breaks their binaries.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,liblarder.so.0");
    println!("cargo::rerun-if-changed=build.rs");
}
