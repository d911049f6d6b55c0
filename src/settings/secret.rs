//! Secrets: a text, `{ env = "NAME" }` or `{ file = "PATH" }`. No finding of this file shows a value.

use std::collections::BTreeMap;

use super::section::{Leaf, Wrong};

/// How a secret is written, for the findings.
const FORMS: &str = "\"…\" / { env = \"NAME\" } / { file = \"PATH\" }";

/// The environment by name, for `{ env = … }`.
pub(super) type Env = BTreeMap<String, String>;

/// Reads a secret and checks it; white space around it (a file's last line break) is no part of it. `None`: a
/// finding was reported.
pub(super) fn read<T>(leaf: &Leaf<'_>, env: &Env, check: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
    let text = text(leaf, env)?;
    let text = text.trim();
    if text.is_empty() {
        leaf.wrong_secret(
            "empty",
            Wrong::new(
                ["是空的", "is empty"],
                [
                    "填上企业微信后台显示的值；不需要的话删掉这一项",
                    "Give the value that WeCom's page shows, or remove the key if it is not needed",
                ],
            ),
        );
        return None;
    }
    check(text).map_err(|wrong| leaf.wrong_secret("bad_value", wrong)).ok()
}

fn text(leaf: &Leaf<'_>, env: &Env) -> Option<String> {
    if let Some(text) = leaf.text() {
        return Some(text.to_owned());
    }
    let Some(section) = leaf.section_of_secret() else {
        leaf.wrong_type(["文本、{ env } 或 { file }", "text, { env } or { file }"], FORMS);
        return None;
    };
    let (name, path) = (section.get("env"), section.get("file"));
    section.finish();
    match (name, path) {
        (Some(name), None) => from_env(&name, env),
        (None, Some(path)) => from_file(&path),
        _ => {
            leaf.wrong_secret(
                "bad_value",
                Wrong::new(
                    ["env 和 file 要写且只写一个", "wants either env or file"],
                    [FORMS, FORMS],
                ),
            );
            None
        }
    }
}

fn from_env(leaf: &Leaf<'_>, env: &Env) -> Option<String> {
    let name = leaf.parse("\"ACME_MAIN_SECRET\"", |t| Ok(t.to_owned()))?;
    let value = env.get(&name).cloned();
    if value.is_none() {
        // Somebody may have put the secret itself where its variable's name belongs.
        let usual = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let name = if name.bytes().all(usual) { &name } else { "NAME" };
        leaf.wrong_secret(
            "missing_env",
            Wrong::new(
                [
                    &format!("环境变量 {name} 没有设置"),
                    &format!("the environment has no {name}"),
                ],
                [
                    &format!("启动前先 export {name}=…，或改用 {{ file = \"…\" }}"),
                    &format!("Set {name} before the start, or use {{ file = \"…\" }}"),
                ],
            ),
        );
    }
    value
}

fn from_file(leaf: &Leaf<'_>) -> Option<String> {
    let path = leaf.parse("\"/run/secrets/acme\"", |t| Ok(t.to_owned()))?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            leaf.wrong_secret(
                "unreadable_file",
                Wrong::new(
                    [
                        &format!("读不了文件 {path}：{error}"),
                        &format!("cannot read the file {path}: {error}"),
                    ],
                    [
                        "检查路径（相对于当前目录）和权限",
                        "Check the path (relative to the working directory) and its permissions",
                    ],
                ),
            );
            None
        }
    }
}
