//! TOML as a tree in which every value knows where it was written, so that a finding can name the place.
//!
//! In: a file's text. Out: a [`Table`], or every syntax error of the file at once. It knows nothing of what the
//! keys mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::faults::Faults;
use crate::model::Text;

/// Where a value was written.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The file as the person named it, or the environment variable.
    pub(super) file: Arc<str>,
    /// From 1; 0 for an environment variable.
    pub(super) line: usize,
    /// In characters, from 1; 0 for an environment variable.
    pub(super) column: usize,
}

impl Place {
    /// A place that has no lines: a whole file, or an environment variable.
    pub(super) fn whole(name: &str) -> Self {
        Self {
            file: name.into(),
            line: 0,
            column: 0,
        }
    }
}

/// A value and its place: for a table's member the place of its key, for a list's member its own.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A table by key.
pub(super) type Table = BTreeMap<String, Node>;

/// What was written.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// The text of an environment variable, which becomes a number or a list where one is wanted.
    Raw(String),
    /// A whole number.
    Int(i64),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
    /// A type that no setting has (float, boolean, date), by its name in TOML.
    Other(&'static str),
}

impl Value {
    /// The type's name in both languages, for "is a …".
    pub(super) fn type_name(&self) -> Text {
        match self {
            Self::Text(_) | Self::Raw(_) => Text::new("文本", "text"),
            Self::Int(_) => Text::new("整数", "a whole number"),
            Self::List(_) => Text::new("列表", "a list"),
            Self::Table(_) => Text::new("表", "a table"),
            Self::Other(name) => Text::new(*name, format!("a {name}")),
        }
    }
}

/// Parses a file's text. `None`: it has syntax errors, and all of them are in `faults`.
pub(super) fn parse(file: &str, text: &str, faults: &Faults) -> Option<Table> {
    let source = Source::new(file, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(source.table(root.get_ref()));
    }
    for error in errors {
        let place = error
            .span()
            .map_or_else(|| Place::whole(file), |s| source.place(s.start));
        faults.push(
            &place,
            "syntax",
            Text::new(
                format!("不是有效的 TOML：{}", error.message()),
                format!("not valid TOML: {}", error.message()),
            ),
            Text::new(
                "检查这一行的引号、括号和等号",
                "Check quotes, brackets and the equals sign on this line",
            ),
        );
    }
    None
}

/// Parses one value as TOML would read it after `key =`; `None` when it is none.
pub(super) fn parse_value(text: &str, place: &Place) -> Option<Value> {
    let parsed = DeValue::parse(text).ok()?;
    let source = Source::new("", "");
    let mut value = source.value(parsed.get_ref());
    put_at(&mut value, place);
    Some(value)
}

fn put_at(value: &mut Value, place: &Place) {
    let members: Vec<&mut Node> = match value {
        Value::List(list) => list.iter_mut().collect(),
        Value::Table(table) => table.values_mut().collect(),
        _ => Vec::new(),
    };
    for node in members {
        node.place = place.clone();
        put_at(&mut node.value, place);
    }
}

/// Lays `over` upon `base`: tables member by member, everything else replaced. A key in `whole` is replaced even
/// where both are tables, because its members exclude each other.
pub(super) fn overlay(base: &mut Table, over: Table, whole: &[&str]) {
    for (key, node) in over {
        match (base.get_mut(&key), node) {
            (
                Some(Node {
                    value: Value::Table(below),
                    place,
                }),
                Node {
                    value: Value::Table(above),
                    place: new,
                },
            ) if !whole.contains(&key.as_str()) => {
                *place = new;
                overlay(below, above, whole);
            }
            (_, node) => {
                base.insert(key, node);
            }
        }
    }
}

/// A text with the beginnings of its lines, to turn byte offsets into places.
struct Source<'a> {
    file: Arc<str>,
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(file: &str, text: &'a str) -> Self {
        let lines = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            file: file.into(),
            text,
            lines,
        }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |s| s.chars().count() + 1);
        Place {
            file: Arc::clone(&self.file),
            line,
            column,
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        table
            .iter()
            .map(|(key, value)| {
                let node = Node {
                    value: self.value(value.get_ref()),
                    place: self.place(key.span().start),
                };
                (key.get_ref().to_string(), node)
            })
            .collect()
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(n) => {
                i64::from_str_radix(n.as_str(), n.radix()).map_or(Value::Other("number too large"), Value::Int)
            }
            DeValue::Array(list) => Value::List(
                list.iter()
                    .map(|v| Node {
                        value: self.value(v.get_ref()),
                        place: self.place(v.span().start),
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
            other => Value::Other(other.type_str()),
        }
    }
}
