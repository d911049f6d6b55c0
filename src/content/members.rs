//! `config/members.toml`: what customers see of a member instead of WeCom's name.

use std::collections::BTreeMap;

use super::faults::{Faults, SourceFile};
use super::reader;
use crate::model::Text;

/// Compiles the file: `userid` → name.
pub(super) fn compile(file: &SourceFile<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    let Some(parsed) = reader::parse(file, faults) else {
        return names;
    };
    let root = reader::root(file, &parsed);
    for (userid, spot, value) in root.entries() {
        let Some(table) = value.as_table() else {
            value.wrong::<()>(faults, userid, ("{ name = \"小张\" }", "{ name = \"…\" }"));
            continue;
        };
        table.only(&["name"], faults);
        match table.text("name", faults) {
            Some(name) if !name.text.trim().is_empty() => {
                names.insert(userid.to_owned(), name.text);
            }
            None if table.get("name").is_some() => {}
            _ => faults.error(
                &spot,
                "missing_key",
                Text::new(
                    format!("成员 {userid} 没有 name"),
                    format!("member {userid} has no name"),
                ),
                Text::new(
                    "写成 zhangsan = { name = \"小张\" }",
                    "Write zhangsan = { name = \"小张\" }",
                ),
            ),
        }
    }
    names
}
