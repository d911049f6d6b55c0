//! What may come into the program: licences, bans and sources of deny.toml, held against `cargo metadata`, so that
//! they hold where cargo-deny is not installed. Advisories need its database and are `cargo deny`'s alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails loudly")]

use std::process::Command;

use serde_json::Value;

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let out = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// True when `allowed` satisfies an SPDX expression of the forms crates use: `A OR B`, `A AND (B OR C)`, `A/B`.
fn licensed(expression: &str, allowed: &[String]) -> bool {
    let flat = expression.replace('/', " OR ").replace(['(', ')'], " ");
    if expression.contains('(') {
        // `(A OR B) AND C`: every part between the ANDs must hold by itself.
        return expression
            .split(" AND ")
            .all(|part| licensed(&part.replace(['(', ')'], ""), allowed));
    }
    flat.split(" OR ").any(|choice| {
        choice
            .split(" AND ")
            .all(|name| allowed.iter().any(|a| a == name.trim()))
    })
}

#[test]
fn every_dependency_has_an_allowed_licence_and_source_and_none_is_banned() {
    let deny: toml::Table = std::fs::read_to_string("deny.toml").unwrap().parse().unwrap();
    let texts = |section: &str, key: &str| -> Vec<String> {
        let list = deny[section][key].as_array().unwrap();
        list.iter()
            .map(|v| v.as_str().or_else(|| v["crate"].as_str()).unwrap().to_owned())
            .collect()
    };
    let (allowed, banned) = (texts("licenses", "allow"), texts("bans", "deny"));
    let registries = texts("sources", "allow-registry");
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        if !licensed(licence, &allowed) {
            wrong.push(format!("{name}: licence {licence}"));
        }
        if banned.iter().any(|b| b == name) {
            wrong.push(format!("{name}: banned"));
        }
        // No source: this crate itself.
        if let Some(source) = package["source"].as_str()
            && !registries.iter().any(|r| source == format!("registry+{r}"))
        {
            wrong.push(format!("{name}: from {source}"));
        }
    }
    assert!(wrong.is_empty(), "see deny.toml:\n{}", wrong.join("\n"));
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned()];
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "MIT AND ISC",
        "(GPL-3.0 OR MIT) AND ISC",
    ] {
        assert!(licensed(good, &allowed), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR MIT) AND BUSL-1.1", "none"] {
        assert!(!licensed(bad, &allowed), "{bad}");
    }
}
