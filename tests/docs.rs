//! The pages say what the program does.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the pages fails loudly")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use regex::Regex;

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn all(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let groups = pattern
        .captures_iter(text)
        .filter_map(|c| c.iter().skip(1).flatten().next());
    groups.map(|m| m.as_str().to_owned()).collect()
}

#[test]
fn the_metrics_page_lists_every_metric_and_no_other() {
    let code = all(r#"(?:opts|hist)\(\s*"([a-z_]+)""#, &read("src/metrics.rs"));
    let page = all(r"(?m)^\| `wecom_([a-z_]+)` \|", &read("docs/metrics.md"));
    assert!(code.len() > 15, "{code:?}");
    assert_eq!(code, page);
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let mut pages = vec!["README.md".to_owned(), "README.zh-CN.md".to_owned()];
    for entry in std::fs::read_dir("docs").unwrap() {
        pages.push(entry.unwrap().path().to_str().unwrap().to_owned());
    }
    for page in pages {
        let folder = Path::new(&page).parent().unwrap();
        for link in all(r"\]\(([^)#]+)\)", &read(&page)) {
            let there = link.starts_with("https://") || folder.join(&link).exists();
            assert!(there, "{page} links to {link}");
        }
    }
}

#[test]
fn both_readmes_speak_of_the_same_commands_settings_and_pages() {
    let words = |text: &str| {
        let mut words = all(r"wecom-gateway ([a-z]+(?: (?:send|resume))?)", text);
        words.extend(all(r"`(--[a-z]+)", text));
        words.extend(all(r"`(?:GET )?(/[a-z]+)`", text));
        words.extend(all(r"(WECOM_GATEWAY_[A-Z_]+)", text));
        words
    };
    assert_eq!(words(&read("README.md")), words(&read("README.zh-CN.md")));
}

#[test]
fn both_connect_pages_have_the_same_steps_and_codes() {
    let words = |text: &str| {
        let mut words = all(r"(?m)^## (\d+)\.", text);
        words.extend(all(r"\b(\d{5})\b", text));
        words.extend(all(r#"`([a-z_]+(?:_[a-z]+)+)`"#, text));
        words
    };
    assert_eq!(words(&read("docs/connect.md")), words(&read("docs/connect.zh-CN.md")));
}

#[test]
fn both_rule_pages_list_every_variable_key_and_event_and_no_other() {
    let variables = all(
        r#"(?:name|id|always)\("([a-z_.]+)"|name: "([a-z_.]+)""#,
        &read("src/content/variable.rs"),
    );
    let keys = read("src/content/rule_file.rs");
    let (_, keys) = keys.split_once("const KEYS: [&str; 14] = [").unwrap();
    let keys = all(r#""([a-z]+)""#, keys.split_once("];").unwrap().0);
    let events = all(
        r#"(?m)^            Self::[A-Za-z]+ => "([a-z_]+)","#,
        &read("src/content/trigger.rs"),
    );
    let events: BTreeSet<String> = events
        .into_iter()
        .filter(|e| !["kf", "agent", "bot"].contains(&e.as_str()))
        .collect();
    assert!(
        variables.len() == 20 && keys.len() == 14 && events.len() == 15,
        "{variables:?} {keys:?} {events:?}"
    );
    let wanted: BTreeSet<String> = variables.into_iter().chain(keys).chain(events).collect();
    for path in ["docs/rules.md", "docs/rules.zh-CN.md"] {
        let page = read(path);
        // The last section lists findings.
        let page = &page[..page.rfind("\n## ").unwrap()];
        assert_eq!(all(r"(?m)^\| `([a-z_.]+)` \|", page), wanted, "{path}");
    }
}

#[test]
fn both_rule_pages_name_the_same_findings_and_only_those_that_check_makes() {
    let section = |path: &str| {
        let page = read(path);
        let at = page.rfind("\n## ").unwrap();
        all(r"`([a-z]+_[a-z_]+)`", &page[at..])
    };
    let (en, zh) = (section("docs/rules.md"), section("docs/rules.zh-CN.md"));
    assert_eq!(en, zh);
    let mut code = String::new();
    for entry in std::fs::read_dir("src/content").unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            code.push_str(&read(path.to_str().unwrap()));
        }
    }
    let unknown: Vec<_> = en.iter().filter(|c| !code.contains(&format!("\"{c}\""))).collect();
    assert!(unknown.is_empty(), "no such finding: {unknown:?}");
}

#[test]
fn every_command_of_the_readme_exists() {
    for command in all(r"`wecom-gateway ([a-z]+(?: (?:send|resume))?)`", &read("README.md")) {
        let out = Command::new(env!("CARGO_BIN_EXE_wecom-gateway"))
            .args(command.split(' '))
            .arg("--help")
            .output()
            .unwrap();
        assert!(out.status.success(), "wecom-gateway {command} --help");
    }
}
