//! Tags as operators write them: `Group/Tag`, or `{ group, tag }`.

use super::faults::{Faults, Spot};
use super::reader::{Table, Value};
use crate::model::Text;
use crate::model::job::TagName;

/// Longest name of a group or tag in characters (api.md 4.3).
const LONGEST: usize = 30;

/// The list of tags under a key; empty when there is none.
pub(super) fn list(table: &Table<'_>, key: &str, faults: &mut Faults) -> Vec<TagName> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let expected = (
        "标签的列表，例如 [\"来源/海报\"]",
        "a list of tags, such as [\"Source/Poster\"]",
    );
    let Some(items) = value.as_list() else {
        return value.wrong(faults, key, expected).unwrap_or_default();
    };
    let mut tags: Vec<TagName> = Vec::new();
    for item in &items {
        match one(item, faults) {
            Some(tag) if tags.contains(&tag) => faults.warn(
                &item.spot(),
                "duplicate_tag",
                Text::new("标签重复", "the tag stands here twice"),
                Text::new("删掉一个", "Remove one"),
            ),
            Some(tag) => tags.push(tag),
            None => {}
        }
    }
    tags
}

fn one(value: &Value<'_>, faults: &mut Faults) -> Option<TagName> {
    if let Some(table) = value.as_table() {
        table.only(&["group", "tag"], faults);
        let (group, tag) = (table.text("group", faults), table.text("tag", faults));
        return match (group, tag) {
            (Some(group), Some(tag)) => checked(&group.text, &tag.text, &value.spot(), faults),
            _ => bad(&value.spot(), faults),
        };
    }
    let Some(written) = value.as_text() else {
        return bad(&value.spot(), faults);
    };
    match written.text.split_once('/') {
        Some((group, tag)) => checked(group, tag, &written.spot, faults),
        None => bad(&written.spot, faults),
    }
}

fn checked(group: &str, tag: &str, spot: &Spot, faults: &mut Faults) -> Option<TagName> {
    let (group, tag) = (group.trim(), tag.trim());
    let fits = |name: &str| (1..=LONGEST).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !fits(group) || !fits(tag) {
        return bad(spot, faults);
    }
    Some(TagName {
        group: group.to_owned(),
        tag: tag.to_owned(),
    })
}

fn bad(spot: &Spot, faults: &mut Faults) -> Option<TagName> {
    faults.error(
        spot,
        "bad_tag",
        Text::new(
            "标签要有组名和标签名，各 1 到 30 个字",
            "a tag has a group and a name, 1 to 30 characters each",
        ),
        Text::new(
            "写成 \"来源/海报\" 或 { group = \"A/B\", tag = \"C\" }",
            "Write \"Source/Poster\" or { group = \"A/B\", tag = \"C\" }",
        ),
    );
    None
}
