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
    pattern.captures_iter(text).map(|c| c[1].to_owned()).collect()
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
