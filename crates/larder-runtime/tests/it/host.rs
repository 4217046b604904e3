//! What the runtime says of the machine and of the process, against what others say.

use crate::child::in_child;
use larder_format::cpu::x86_64::FEATURES;
use larder_runtime::{Bound, Loaded, Mapped, Sealed, cpu, program};
use std::process::Command;

/// The code generator must not find features that the loader misses, nor the other way round.
#[test]
fn features_are_those_that_llvm_finds() {
    let output = Command::new("clang-22")
        .args(["-march=native", "-###", "-x", "c", "-c", "/dev/null", "-o", "/dev/null"])
        .output()
        .expect("clang 22 is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    let says = |sign: char, name: &str| text.contains(&format!("\"-target-feature\" \"{sign}{name}\""));
    let host = cpu::host_features();
    let mut compared = 0;
    for (number, feature) in FEATURES.iter().enumerate() {
        let (has, lacks) = (says('+', feature.name), says('-', feature.name));
        if has || lacks {
            assert_eq!(host.contains(number), has, "{}", feature.name);
            compared += 1;
        }
    }
    assert!(compared > 80, "clang told of {compared} features");
}

fn handler(signal: libc::c_int) -> libc::sighandler_t {
    // SAFETY: all zeros are a valid action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: there is room for the answer.
    assert_eq!(unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) }, 0);
    action.sa_sigaction
}

#[test]
fn signals_get_back_what_a_native_program_has() {
    if !in_child("host::signals_get_back_what_a_native_program_has") {
        return;
    }
    let signals = [libc::SIGPIPE, libc::SIGSEGV, libc::SIGBUS];
    assert!(signals.iter().all(|&signal| handler(signal) != libc::SIG_DFL), "Rust changes them");
    program::restore_signal_defaults();
    for signal in signals {
        assert_eq!(handler(signal), libc::SIG_DFL, "{signal}");
    }
}

#[test]
fn every_state_may_go_to_another_thread() {
    fn may_go<T: Send + Sync>() {}
    may_go::<Mapped>();
    may_go::<Bound>();
    may_go::<Sealed>();
    may_go::<Loaded>();
}

#[test]
fn loading_does_not_depend_on_the_number_of_functions() {
    assert!(larder_runtime::unwinds_in_constant_time());
}
