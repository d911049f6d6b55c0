//! TOML with places: every value knows where it stands, every table names its unknown keys.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::faults::{Faults, SourceFile, Spot};
use crate::model::Text;

/// A text as written, and where.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// After TOML's escapes.
    pub text: String,
    /// Where its literal begins.
    pub spot: Spot,
    /// The literal in the file, quotes included.
    pub span: Range<usize>,
}

/// A table of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    /// The file it stands in.
    pub file: &'a SourceFile<'a>,
    table: &'a DeTable<'a>,
    start: usize,
}

/// A value of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    /// The file it stands in.
    pub file: &'a SourceFile<'a>,
    value: &'a Spanned<DeValue<'a>>,
}

/// Parses a file; `None` when it is no TOML (every syntax fault is reported).
pub(super) fn parse<'a>(file: &SourceFile<'a>, faults: &mut Faults) -> Option<Spanned<DeTable<'a>>> {
    let (table, errors) = DeTable::parse_recoverable(file.text);
    for e in &errors {
        let spot = file.spot(e.span().map_or(0, |s| s.start));
        let said = e.message().trim().replace('\n', "; ");
        faults.error(
            &spot,
            "bad_toml",
            Text::new(format!("不是合法的 TOML：{said}"), format!("not valid TOML: {said}")),
            Text::new(
                "检查这一行附近的引号、括号、等号和重复的键",
                "Check quotes, brackets, equal signs and repeated keys near this line",
            ),
        );
    }
    errors.is_empty().then_some(table)
}

/// The root of a parsed file.
pub(super) fn root<'a>(file: &'a SourceFile<'a>, parsed: &'a Spanned<DeTable<'a>>) -> Table<'a> {
    Table {
        file,
        table: parsed.get_ref(),
        start: 0,
    }
}

impl<'a> Table<'a> {
    /// Where it begins.
    pub fn spot(&self) -> Spot {
        self.file.spot(self.start)
    }

    /// Names every key that is not one of `known`.
    pub fn only(&self, known: &[&str], faults: &mut Faults) {
        for key in self.table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                faults.unknown(
                    &self.file.spot(key.span().start),
                    "unknown_key",
                    ("键", "key"),
                    key.get_ref(),
                    known,
                );
            }
        }
    }

    /// Every key with its place and value, in the order of the file.
    pub fn entries(&self) -> Vec<(&'a str, Spot, Value<'a>)> {
        let mut all: Vec<_> = self.table.iter().collect();
        all.sort_by_key(|(k, _)| k.span().start);
        let entry = |(k, value): (&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)| {
            (
                k.get_ref().as_ref(),
                self.file.spot(k.span().start),
                Value { file: self.file, value },
            )
        };
        all.into_iter().map(entry).collect()
    }

    /// A value.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.table.get(key).map(|value| Value { file: self.file, value })
    }

    /// A text.
    pub fn text(&self, key: &str, faults: &mut Faults) -> Option<Written> {
        let value = self.get(key)?;
        value
            .as_text()
            .or_else(|| value.wrong(faults, key, ("文字", "a text in quotes")))
    }

    /// A text, or a list of texts.
    pub fn texts(&self, key: &str, faults: &mut Faults) -> Option<Vec<Written>> {
        let value = self.get(key)?;
        if let Some(one) = value.as_text() {
            return Some(vec![one]);
        }
        let expected = (
            "文字的列表，例如 [\"a\", \"b\"]",
            "a list of texts, such as [\"a\", \"b\"]",
        );
        let Some(items) = value.as_list() else {
            return value.wrong(faults, key, expected);
        };
        Some(
            items
                .iter()
                .filter_map(|v| v.as_text().or_else(|| v.wrong(faults, key, expected)))
                .collect(),
        )
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str, faults: &mut Faults) -> Option<bool> {
        let value = self.get(key)?;
        let found = value.value.get_ref().as_bool();
        found.or_else(|| value.wrong(faults, key, ("true 或 false", "true or false")))
    }

    /// A whole number.
    pub fn int(&self, key: &str, faults: &mut Faults) -> Option<i64> {
        let value = self.get(key)?;
        let found = value
            .value
            .get_ref()
            .as_integer()
            .and_then(|i| i64::from_str_radix(i.as_str(), i.radix()).ok());
        found.or_else(|| value.wrong(faults, key, ("整数", "a whole number")))
    }

    /// A table.
    pub fn table(&self, key: &str, faults: &mut Faults) -> Option<Table<'a>> {
        let value = self.get(key)?;
        value
            .as_table()
            .or_else(|| value.wrong(faults, key, ("表，例如 { … }", "a table, such as { … }")))
    }

    /// A list of tables.
    pub fn tables(&self, key: &str, faults: &mut Faults) -> Vec<Table<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let expected = ("表的列表（[[…]]）", "a list of tables ([[…]])");
        let Some(items) = value.as_list() else {
            return value.wrong(faults, key, expected).unwrap_or_default();
        };
        items
            .iter()
            .filter_map(|v| v.as_table().or_else(|| v.wrong(faults, key, expected)))
            .collect()
    }
}

impl<'a> Value<'a> {
    /// Where it begins.
    pub fn spot(&self) -> Spot {
        self.file.spot(self.value.span().start)
    }

    /// As a text.
    pub fn as_text(&self) -> Option<Written> {
        let text = self.value.get_ref().as_str()?.to_owned();
        Some(Written {
            text,
            spot: self.spot(),
            span: self.value.span(),
        })
    }

    /// As a whole number.
    pub fn as_int(&self) -> Option<i64> {
        let i = self.value.get_ref().as_integer()?;
        i64::from_str_radix(i.as_str(), i.radix()).ok()
    }

    /// As a list.
    pub fn as_list(&self) -> Option<Vec<Value<'a>>> {
        let items = self.value.get_ref().as_array()?;
        Some(items.iter().map(|value| Value { file: self.file, value }).collect())
    }

    /// As a table.
    pub fn as_table(&self) -> Option<Table<'a>> {
        let table = self.value.get_ref().as_table()?;
        Some(Table {
            file: self.file,
            table,
            start: self.value.span().start,
        })
    }

    /// Reports that the value is not what was expected.
    pub fn wrong<T>(&self, faults: &mut Faults, key: &str, expected: (&str, &str)) -> Option<T> {
        let found = self.value.get_ref().type_str();
        faults.error(
            &self.spot(),
            "wrong_type",
            Text::new(format!("“{key}”写成了 {found}"), format!("\"{key}\" is a {found}")),
            Text::new(format!("这里应为{}", expected.0), format!("Write {}", expected.1)),
        );
        None
    }
}
