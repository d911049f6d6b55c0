//! The directions of the house: a room imports only rooms below it (docs/architecture.md).

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources fails loudly")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the top down; rooms on one line do not know each other.
const HOUSE: &[&[&str]] = &[
    &["cli"],
    &["app"],
    &["callback", "owner", "console"],
    &["kf", "broadcast", "contacts", "channels"],
    &["delivery", "intake"],
    &["dialog", "store"],
    &["content"],
    &["settings", "metrics", "clock"],
    &["model"],
    &["wecom"],
];

/// Rooms beside the house: what they may import, and who may import them.
const BESIDE: &[(&str, &[&str], &[&str])] = &[("sandbox", &["wecom", "clock"], &["cli"]), ("telemetry", &[], &[])];

/// Rooms that are told the time and never ask for it.
const PURE: &[&str] = &["wecom", "model", "content", "dialog"];

/// More is a reason to look for the seam.
const LONG: usize = 400;

fn rank(room: &str) -> Option<usize> {
    HOUSE.iter().position(|floor| floor.contains(&room))
}

/// Why `from` may not import `to`; `None` when it may.
fn forbidden(from: &str, to: &str) -> Option<String> {
    if from == to {
        return None;
    }
    if PURE.contains(&from) && to == "clock" {
        return Some(format!("{from} is pure: time is an argument"));
    }
    for (room, below, above) in BESIDE {
        if from == *room {
            return (!below.contains(&to)).then(|| format!("{from} may import only {below:?}"));
        }
        if to == *room {
            return (!above.contains(&from)).then(|| format!("only {above:?} may import {to}"));
        }
    }
    match (rank(from), rank(to)) {
        (Some(a), Some(b)) if a < b => None,
        (Some(a), Some(b)) if a == b => Some(format!("{from} and {to} do not know each other")),
        (Some(_), Some(_)) => Some(format!("{to} stands above {from}")),
        _ => Some(format!("{from} or {to} is a room that tests/imports.rs does not know")),
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The source without comments, and without the test module at its end.
fn code(text: &str) -> String {
    let tests = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..tests]
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(before, _)| before))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The rooms that a source names: `crate::room`, `crate::{room::…, room}`, and `super::` up to the root.
fn rooms_named(code: &str, depth: usize) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let up = "super::".repeat(depth);
    for root in ["crate::", up.as_str()] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = code[at + root.len()..].trim_start();
            match rest.strip_prefix('{') {
                Some(list) => named.extend(group(list)),
                None => {
                    named.insert(word(rest));
                }
            }
        }
    }
    named.retain(|room| room != "super" && room.starts_with(|c: char| c.is_ascii_lowercase()));
    named
}

/// The first word of each member of a group, up to its closing brace.
fn group(list: &str) -> Vec<String> {
    let (mut level, mut members, mut start) = (0, Vec::new(), true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => start = true,
            c if start && !c.is_whitespace() => {
                members.push(word(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    members
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// `src/store/redis/keys.rs` → room `store`, two modules deep below the root's children (`super` thrice is root).
fn module(path: &Path) -> Option<(String, usize)> {
    let inner = path.strip_prefix("src").unwrap().with_extension("");
    let mut parts: Vec<_> = inner.iter().map(|p| p.to_str().unwrap().to_owned()).collect();
    if parts.last().is_some_and(|p| p == "mod") {
        parts.pop();
    }
    let room = parts.first()?.clone();
    (!["lib", "main"].contains(&room.as_str())).then_some((room, parts.len()))
}

#[test]
fn imports_go_down_only() {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    files.sort();
    let mut wrong = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().count();
        if lines > LONG {
            println!(
                "{}: {lines} lines; over {LONG} is a reason to look for the seam",
                path.display()
            );
        }
        let Some((room, depth)) = module(path) else { continue };
        if path.file_stem().is_some_and(|name| name == "tests") || path.iter().any(|part| part == "tests") {
            continue;
        }
        for named in rooms_named(&code(&text), depth) {
            if let Some(why) = forbidden(&room, &named) {
                wrong.push(format!("{} imports {named}: {why}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(files.len() > 20, "the sources were found");
}

#[test]
fn a_wrong_import_would_be_seen() {
    let seen = |text: &str, depth| rooms_named(&code(text), depth).into_iter().collect::<Vec<_>>();
    assert_eq!(
        seen("use crate::store::Store;\nfn f() { crate::kf::ring() }", 1),
        ["kf", "store"]
    );
    assert_eq!(
        seen("use crate::{\n    delivery::{a, b},\n    owner, model::Job,\n};", 1),
        ["delivery", "model", "owner"]
    );
    assert_eq!(seen("use super::super::clock;\nuse super::sibling;", 2), ["clock"]);
    assert_eq!(seen("use super::store::x;", 1), ["store"]);
    assert_eq!(seen("// crate::store\n/// [`crate::store`]\n", 1), Vec::<String>::new());
    assert_eq!(
        seen("x\n#[cfg(test)]\nmod tests { use crate::sandbox; }", 1),
        Vec::<String>::new()
    );
    for (from, to) in [
        ("wecom", "model"),
        ("dialog", "store"),
        ("dialog", "clock"),
        ("delivery", "intake"),
        ("store", "owner"),
        ("sandbox", "model"),
        ("owner", "sandbox"),
        ("newroom", "model"),
    ] {
        assert!(forbidden(from, to).is_some(), "{from} → {to}");
    }
    for (from, to) in [
        ("cli", "sandbox"),
        ("sandbox", "clock"),
        ("store", "settings"),
        ("owner", "content"),
    ] {
        assert!(forbidden(from, to).is_none(), "{from} → {to}");
    }
}
