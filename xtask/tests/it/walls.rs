//! The walls between the crates: who may depend on whom, who may hold unsafe code, who may map executable memory.

use std::process::Command;

use serde_json::Value;

use crate::{root, sources, text_of};

/// What each crate may use of the others; a crate that isn't named may use any but `larder-llvm`.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("larder-format", &[]),
    ("larder-link", &["larder-format"]),
    ("larder-store", &[]),
    ("larder-runtime", &["larder-format"]),
    ("larder-llvm", &["larder-format"]),
    ("larder", &["larder-format", "larder-link", "larder-runtime", "larder-store"]),
];

/// Roots of the crates and programs without unsafe code.
const SAFE: [&str; 5] = [
    "crates/larder-format/src/lib.rs",
    "crates/larder-link/src/lib.rs",
    "crates/larder-store/src/lib.rs",
    "xtask/src/main.rs",
    "tests/programs/src/lib.rs",
];

/// The one file that makes executable mappings.
const EXECUTABLE: &str = "crates/larder-runtime/src/os/linux.rs";

/// Every package of the workspace with the names of what it is built with; what its tests use doesn't count.
fn packages() -> Vec<(String, Vec<String>)> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version=1", "--no-deps", "--offline"]).current_dir(root());
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    let metadata: Value = serde_json::from_slice(&output).unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let built_with = |package: &Value| -> Vec<String> {
        let all = package["dependencies"].as_array().into_iter().flatten();
        all.filter(|dependency| dependency["kind"] != "dev").map(name).collect()
    };
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.map(|package| (name(package), built_with(package))).collect()
}

#[test]
fn crates_use_only_what_their_wall_lets_through() {
    let packages = packages();
    assert!(packages.len() > ALLOWED.len(), "cargo metadata names {packages:?}");
    for (name, uses) in packages {
        let ours = uses.iter().filter(|used| used.starts_with("larder"));
        let allowed = ALLOWED.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed);
        for used in ours {
            let fine = allowed.map_or(used != "larder-llvm", |allowed| allowed.contains(&used.as_str()));
            assert!(fine, "{name} must not use {used}");
        }
    }
}

#[test]
fn only_larder_llvm_sees_llvm() {
    for (name, uses) in packages() {
        let sees_llvm = uses.iter().any(|used| used.contains("llvm-sys") || used == "inkwell");
        assert!(!sees_llvm || name == "larder-llvm", "{name} uses {uses:?}");
    }
}

#[test]
fn safe_crates_forbid_unsafe_code() {
    for path in SAFE {
        assert!(text_of(path).contains("#![forbid(unsafe_code)]"), "{path}");
    }
}

#[test]
fn executable_mappings_are_made_in_one_file() {
    let makes_some =
        |text: &str| ["PROT_EXEC", "ProtFlags::EXEC", "MprotectFlags::EXEC"].iter().any(|word| text.contains(word));
    let found: Vec<_> = sources().into_iter().filter(|path| makes_some(&text_of(path))).collect();
    assert_eq!(found, [root().join(EXECUTABLE)]);
}
