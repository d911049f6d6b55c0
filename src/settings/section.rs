//! Reading one table: every key that is asked for is a known one, and what is left over at the end is an error.

use std::cell::RefCell;
use std::path::PathBuf;

use super::faults::{Faults, join};
use super::tree::{Node, Place, Table, Value};
use crate::model::Text;

/// A table that is being read.
pub(super) struct Section<'a> {
    table: &'a Table,
    pub(super) place: &'a Place,
    /// As people write it: `corp.acme.kf`.
    pub(super) path: String,
    pub(super) faults: &'a Faults,
    known: RefCell<Vec<&'static str>>,
}

/// Why a text is not the value that its key wants, and what to write instead.
pub(super) struct Wrong {
    pub(super) what: Text,
    pub(super) remedy: Text,
}

impl Wrong {
    pub(super) fn new(what: [&str; 2], remedy: [&str; 2]) -> Self {
        Self {
            what: Text::new(what[0], what[1]),
            remedy: Text::new(remedy[0], remedy[1]),
        }
    }
}

impl<'a> Section<'a> {
    pub(super) fn new(table: &'a Table, place: &'a Place, path: String, faults: &'a Faults) -> Self {
        Self {
            table,
            place,
            path,
            faults,
            known: RefCell::default(),
        }
    }

    /// The key's value, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Leaf<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.table.get(key).map(|node| Leaf {
            node,
            path: join(&self.path, key),
            faults: self.faults,
        })
    }

    /// The key's value; that it is missing is a finding with this remedy.
    pub(super) fn need(&self, key: &'static str, remedy: [&str; 2]) -> Option<Leaf<'a>> {
        let leaf = self.get(key);
        if leaf.is_none() {
            self.faults
                .missing(self.place, &self.path, key, Text::new(remedy[0], remedy[1]));
        }
        leaf
    }

    /// A table inside this one.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'a>> {
        self.get(key).and_then(|leaf| leaf.section())
    }

    /// Every member, for tables whose keys people choose.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'a str, Leaf<'a>)> + '_ {
        self.table.iter().map(|(key, node)| {
            let leaf = Leaf {
                node,
                path: join(&self.path, key),
                faults: self.faults,
            };
            (key.as_str(), leaf)
        })
    }

    /// Ends the reading: a key that nobody asked for is an error.
    pub(super) fn finish(self) {
        let known = self.known.into_inner();
        for (key, node) in self.table {
            if !known.contains(&key.as_str()) {
                self.faults.unknown_key(&node.place, &self.path, key, &known);
            }
        }
    }
}

/// One value that is being read.
pub(super) struct Leaf<'a> {
    pub(super) node: &'a Node,
    pub(super) path: String,
    pub(super) faults: &'a Faults,
}

impl<'a> Leaf<'a> {
    /// A finding about this value that may show it.
    pub(super) fn wrong(&self, wrong: Wrong) {
        let shown = match &self.node.value {
            Value::Text(t) | Value::Raw(t) => format!(" = {:?}", crop(t)),
            Value::Int(n) => format!(" = {n}"),
            Value::List(_) | Value::Table(_) | Value::Other(_) => String::new(),
        };
        self.report("bad_value", &shown, wrong);
    }

    /// A finding about this value that never shows it.
    pub(super) fn wrong_secret(&self, code: &'static str, wrong: Wrong) {
        self.report(code, "", wrong);
    }

    fn report(&self, code: &'static str, shown: &str, wrong: Wrong) {
        let Wrong { what, remedy } = wrong;
        let what = Text::new(
            format!("`{}`{shown}：{}", self.path, what.zh),
            format!("`{}`{shown}: {}", self.path, what.en),
        );
        self.faults.push(&self.node.place, code, what, remedy);
    }

    /// A finding about this value's type; never shows the value, so it is safe for secrets.
    pub(super) fn wrong_type(&self, wanted: [&str; 2], example: &str) {
        let is = self.node.value.type_name();
        self.report(
            "wrong_type",
            "",
            Wrong {
                what: Text::new(
                    format!("应为{}，实际是{}", wanted[0], is.zh),
                    format!("must be {}, is {}", wanted[1], is.en),
                ),
                remedy: Text::new(format!("例如：{example}"), format!("For example: {example}")),
            },
        );
    }

    /// The text, if it is one; nothing is reported.
    pub(super) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(t) | Value::Raw(t) => Some(t),
            _ => None,
        }
    }

    /// A text that `parse` understands; else a finding that shows the value.
    pub(super) fn parse<T>(&self, example: &str, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let Some(text) = self.text() else {
            self.wrong_type(["文本", "text"], example);
            return None;
        };
        parse(text).map_err(|wrong| self.wrong(wrong)).ok()
    }

    /// A path; empty is `None`.
    pub(super) fn file_path(&self) -> Option<PathBuf> {
        self.parse("\"data/file\"", |t| Ok(t.to_owned()))
            .filter(|t| !t.is_empty())
            .map(PathBuf::from)
    }

    /// A whole number from `low` to `high`.
    pub(super) fn int(&self, low: i64, high: i64) -> Option<i64> {
        let n = match &self.node.value {
            Value::Int(n) => Some(*n),
            Value::Raw(t) => t.trim().parse().ok(),
            _ => None,
        };
        let Some(n) = n else {
            self.wrong_type(["整数", "a whole number"], &low.to_string());
            return None;
        };
        if (low..=high).contains(&n) {
            return Some(n);
        }
        self.wrong(Wrong::new(
            ["超出范围", "out of range"],
            [&format!("写 {low} 到 {high}"), &format!("Write {low} to {high}")],
        ));
        None
    }

    /// A list of texts, each with its own place. One text alone is a list of one; an environment variable may
    /// name several with commas.
    pub(super) fn words(&self, example: &str) -> Option<Vec<(String, Place)>> {
        let here = &self.node.place;
        match &self.node.value {
            Value::Text(t) => Some(vec![(t.clone(), here.clone())]),
            Value::Raw(t) => Some(
                t.split(',')
                    .map(str::trim)
                    .filter(|w| !w.is_empty())
                    .map(|w| (w.to_owned(), here.clone()))
                    .collect(),
            ),
            Value::List(list) => {
                let mut words = Vec::with_capacity(list.len());
                for (n, node) in list.iter().enumerate() {
                    let leaf = Leaf {
                        node,
                        path: format!("{}[{n}]", self.path),
                        faults: self.faults,
                    };
                    match leaf.text() {
                        Some(text) => words.push((text.to_owned(), node.place.clone())),
                        None => leaf.wrong_type(["文本", "text"], example),
                    }
                }
                Some(words)
            }
            _ => {
                self.wrong_type(["文本列表", "a list of texts"], example);
                None
            }
        }
    }

    /// This value as a table, if it is one; nothing is reported.
    pub(super) fn section_of_secret(&self) -> Option<Section<'a>> {
        matches!(self.node.value, Value::Table(_))
            .then(|| self.section())
            .flatten()
    }

    /// This value as a table.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        match &self.node.value {
            Value::Table(table) => Some(Section::new(table, &self.node.place, self.path.clone(), self.faults)),
            _ => {
                self.wrong_type(["表", "a table"], "{ … }");
                None
            }
        }
    }
}

fn crop(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    text.chars().take(59).chain(['…']).collect()
}
