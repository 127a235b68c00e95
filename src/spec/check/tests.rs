//! Bad files and what is said about them.

use std::path::Path;

use super::*;

#[test]
fn all_examples_pass() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for folder in ["examples/sources", "examples/schemas", "schemas"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("folder") {
            let path = entry.expect("entry").path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let found = check(&path);
                assert!(found.is_empty(), "{}", found.iter().map(ToString::to_string).collect::<String>());
                seen += 1;
            }
        }
    }
    assert!(seen >= 10);
}

/// What is said about `text`, as a file called `source.yaml` (or `table.yaml`) beside a good `t.yaml`.
fn said(text: &str) -> String {
    let folder = tempfile::tempdir().expect("folder");
    let table = "version: 1\ntable: t\nfields:\n  - { name: id, type: string }\n  - { name: at, type: timestamp }\n";
    std::fs::write(folder.path().join("t.yaml"), table).expect("table");
    let file = folder.path().join(if text.contains("table:") { "table.yaml" } else { "source.yaml" });
    std::fs::write(&file, text).expect("file");
    let found = check(&file);
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    shown.join("\n").replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn try_them() {
    let cases = std::fs::read_to_string("/tmp/cases.txt").unwrap();
    for case in cases.split("=====\n") {
        println!("--------\n{case}>>>>\n{}", said(case));
    }
}
