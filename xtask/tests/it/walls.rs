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

/// A crate that may have LLVM in its process, and the feature by which its user asks for that.
const ON_REQUEST: (&str, &str) = ("larder", "in-process");

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

/// A package of the workspace.
#[derive(Debug)]
struct Package {
    name: String,
    /// What it is built with; what its tests use doesn't count.
    uses: Vec<String>,
    /// What it is built with on request only.
    may_use: Vec<String>,
    /// Features that it has by default, and those that it asks others for, its tests included.
    features: Vec<String>,
    /// The system library that it declares to link.
    links: String,
}

fn packages() -> Vec<Package> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version=1", "--no-deps", "--offline"]).current_dir(root());
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    let metadata: Value = serde_json::from_slice(&output).unwrap_or_default();
    metadata["packages"].as_array().into_iter().flatten().map(package).collect()
}

fn package(value: &Value) -> Package {
    let dependencies = value["dependencies"].as_array().into_iter().flatten();
    let (mut uses, mut may_use, mut features) = (Vec::new(), Vec::new(), texts(&value["features"]["default"]));
    for used in dependencies {
        features.extend(texts(&used["features"]));
        match used["optional"] == true {
            true => may_use.push(text(&used["name"])),
            false if used["kind"] != "dev" => uses.push(text(&used["name"])),
            false => {}
        }
    }
    Package { name: text(&value["name"]), uses, may_use, features, links: text(&value["links"]) }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(values: &Value) -> Vec<String> {
    values.as_array().into_iter().flatten().map(text).collect()
}

#[test]
fn crates_use_only_what_their_wall_lets_through() {
    let packages = packages();
    assert!(packages.len() > ALLOWED.len(), "cargo metadata names {packages:?}");
    for Package { name, uses, .. } in packages {
        let ours = uses.iter().filter(|used| used.starts_with("larder"));
        let allowed = ALLOWED.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed);
        for used in ours {
            let fine = allowed.map_or(used != "larder-llvm", |allowed| allowed.contains(&used.as_str()));
            assert!(fine, "{name} must not use {used}");
        }
    }
}

#[test]
fn llvm_is_in_no_process_that_did_not_ask_for_it() {
    let (asked, feature) = ON_REQUEST;
    for Package { name, may_use, features, .. } in packages() {
        assert!(name == asked || !may_use.iter().any(|used| used.starts_with("larder")), "{name} may use {may_use:?}");
        assert!(!features.iter().any(|wanted| wanted == feature), "{name} asks for {feature}");
    }
}

#[test]
fn only_larder_llvm_links_llvm() {
    let sees_llvm = |package: &Package| {
        let uses_bindings = package.uses.iter().any(|used| used.contains("llvm-sys") || used == "inkwell");
        uses_bindings || package.links.contains("LLVM")
    };
    let found: Vec<_> = packages().into_iter().filter(sees_llvm).map(|package| package.name).collect();
    // The example is an application that makes its IR with LLVM.
    assert_eq!(found, ["larder-llvm", "kaleidoscope"]);
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
