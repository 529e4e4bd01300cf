//! What `docs/security.md` promises is kept by tests that are there.

use std::path::Path;

/// The file of a module in this folder.
fn source(folder: &Path, modules: &[&str]) -> Option<String> {
    let path = modules.iter().fold(folder.to_owned(), |path, module| path.join(module));
    let file = std::fs::read_to_string(path.with_extension("rs"));
    file.or_else(|_| std::fs::read_to_string(path.join("mod.rs"))).ok()
}

#[test]
fn every_promise_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/security.md")).expect("the promises are written down");
    let is_path = |text: &&str| {
        text.contains("::") && text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, ':' | '_'))
    };
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let named: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(is_path).collect();

    let missing: Vec<&&str> = named
        .iter()
        .filter(|path| {
            let mut modules: Vec<&str> = path.split("::").collect();
            let test = modules.pop().unwrap_or_default();
            modules.retain(|module| *module != "tests");
            let found = source(&root.join("tests/it"), &modules).or_else(|| source(&root.join("src"), &modules));
            !found.is_some_and(|source| source.contains(&format!("fn {test}(")))
        })
        .collect();

    assert!(named.len() > 80, "they are found: {}", named.len());
    assert!(missing.is_empty(), "there are no such tests: {missing:#?}");
}
