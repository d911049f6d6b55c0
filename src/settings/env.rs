//! Overrides from the environment: `WECOM_GATEWAY__SERVER__LISTEN=…` is `server.listen`, and members of arrays are
//! found by name, `WECOM_GATEWAY__CORP__ACME__APP__MAIN__SECRET=…`.
//!
//! Names are compared without case, and `-` is `_` (shells allow no `-`). A value that is TOML in brackets or
//! braces is taken as that list or table; everything else is text, and becomes a number where one is wanted.
//! An override never makes a new corp or app: a typing error would otherwise be one.

use super::faults::Faults;
use super::tree::{Node, Place, Table, Value, parse_value};
use crate::model::Text;
use crate::model::diagnostic::nearest;

/// What every override starts with. `WECOM_GATEWAY_LOG` (one underscore) is none.
const PREFIX: &str = "WECOM_GATEWAY__";

/// Tables whose members exclude each other: to set one of them is to take back the others.
const EXCLUSIVE: [&str; 5] = ["secret", "token", "encoding_aes_key", "url", "broadcast"];

/// Lays every override of `env` upon `root`, in the order of their names.
pub(super) fn apply<'a>(root: &mut Table, env: impl Iterator<Item = (&'a str, &'a str)>, faults: &Faults) {
    for (name, value) in env {
        let Some(rest) = name
            .get(..PREFIX.len())
            .filter(|p| p.eq_ignore_ascii_case(PREFIX))
            .and_then(|_| name.get(PREFIX.len()..))
        else {
            continue;
        };
        let place = Place::whole(name);
        let value = Some(value.trim())
            .filter(|v| v.starts_with(['[', '{']))
            .and_then(|v| parse_value(v, &place))
            .unwrap_or_else(|| Value::Raw(value.to_owned()));
        let put = Put {
            node: Node { value, place },
            faults,
        };
        put.into_table(root, rest, "");
    }
}

/// One override on its way down the tree.
struct Put<'a> {
    node: Node,
    faults: &'a Faults,
}

impl Put<'_> {
    fn into_table(self, table: &mut Table, rest: &str, parent: &str) {
        let (key, after) = pick(table.keys(), rest).unwrap_or_else(|| split(rest));
        if EXCLUSIVE.contains(&parent) {
            table.retain(|k, _| k.starts_with("per_") && key.starts_with("per_"));
        }
        let place = self.node.place.clone();
        let Some(after) = after else {
            table.insert(key, self.node);
            return;
        };
        let entry = table.entry(key.clone()).or_insert_with(|| Node {
            value: Value::Table(Table::new()),
            place: place.clone(),
        });
        match &mut entry.value {
            Value::List(list) => self.into_list(list, &after, &key),
            Value::Table(inner) => self.into_table(inner, &after, &key),
            other => {
                let mut inner = Table::new();
                self.into_table(&mut inner, &after, &key);
                *other = Value::Table(inner);
                entry.place = place;
            }
        }
    }

    fn into_list(self, list: &mut [Node], rest: &str, key: &str) {
        let names: Vec<String> = list.iter().map(|n| name_of(n).to_owned()).collect();
        let Some((name, Some(after))) = pick(names.iter(), rest) else {
            let (wanted, _) = split(rest);
            let near = nearest(&wanted, names.iter().map(String::as_str)).unwrap_or_default();
            let known = if near.is_empty() {
                names.join(", ")
            } else {
                near.to_owned()
            };
            self.faults.push(
                &self.node.place,
                "unknown_name",
                Text::new(
                    format!("配置文件里没有名为 `{wanted}` 的 [[{key}]]"),
                    format!("no [[{key}]] of the file is named `{wanted}`"),
                ),
                Text::new(
                    format!("写成 {PREFIX}…__名称__配置项=…；已有名称：{known}"),
                    format!("Write {PREFIX}…__NAME__KEY=…; known names: {known}"),
                ),
            );
            return;
        };
        // Equal names are an error of their own (`duplicate_name`), so the first is as good as any.
        if let Some(Value::Table(table)) = list.iter_mut().find(|n| name_of(n) == name).map(|n| &mut n.value) {
            self.into_table(table, &after, key);
        }
    }
}

fn name_of(node: &Node) -> &str {
    match &node.value {
        Value::Table(t) => match t.get("name").map(|n| &n.value) {
            Some(Value::Text(name)) => name,
            _ => "",
        },
        _ => "",
    }
}

/// The longest of `keys` that `rest` begins with, and what follows it; names may hold `__` themselves.
fn pick<'k>(keys: impl Iterator<Item = &'k String>, rest: &str) -> Option<(String, Option<String>)> {
    let rest = normal(rest);
    keys.filter(|k| !k.is_empty())
        .filter_map(|key| {
            let after = rest.strip_prefix(&normal(key))?;
            match after.strip_prefix("__") {
                Some(after) => Some((key.clone(), Some(after.to_owned()))),
                None => after.is_empty().then(|| (key.clone(), None)),
            }
        })
        .max_by_key(|(key, _)| key.len())
}

/// A key that is not there yet, as written but in small letters.
fn split(rest: &str) -> (String, Option<String>) {
    let rest = rest.to_lowercase();
    match rest.split_once("__") {
        Some((key, after)) => (key.to_owned(), Some(after.to_owned())),
        None => (rest, None),
    }
}

fn normal(name: &str) -> String {
    name.to_lowercase().replace(['-', '.'], "_")
}
