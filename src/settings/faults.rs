//! The findings of one reading, gathered so that a person sees all of them at once.
//!
//! No value of a secret ever reaches this file: the readers of secrets say lengths and kinds only.

use std::cell::RefCell;

use super::tree::Place;
use crate::model::diagnostic::{Severity, nearest};
use crate::model::{Diagnostic, Text};

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Faults(RefCell<Vec<Diagnostic>>);

impl Faults {
    /// Adds one error.
    pub(super) fn push(&self, place: &Place, code: &'static str, what: Text, remedy: Text) {
        self.0.borrow_mut().push(Diagnostic {
            severity: Severity::Error,
            file: place.file.to_string(),
            line: place.line,
            column: place.column,
            code,
            what,
            remedy,
        });
    }

    /// A key nobody reads, with the nearest of those that are read here.
    pub(super) fn unknown_key(&self, place: &Place, path: &str, key: &str, known: &[&str]) {
        let remedy = match nearest(key, known.iter().copied()) {
            Some(near) => Text::new(format!("是不是想写 `{near}`？"), format!("Did you mean `{near}`?")),
            None => Text::new(
                format!("这里可以写：{}", known.join("、")),
                format!("Known here: {}", known.join(", ")),
            ),
        };
        let full = join(path, key);
        self.push(
            place,
            "unknown_key",
            Text::new(format!("没有 `{full}` 这个配置项"), format!("unknown key `{full}`")),
            remedy,
        );
    }

    /// A key that must be there.
    pub(super) fn missing(&self, place: &Place, path: &str, key: &str, remedy: Text) {
        let full = join(path, key);
        self.push(
            place,
            "missing_key",
            Text::new(format!("缺少 `{full}`"), format!("`{full}` is missing")),
            remedy,
        );
    }

    /// All findings, in the order of files and lines.
    pub(super) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut all = self.0.into_inner();
        all.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        all.dedup();
        all
    }

    /// True while nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// `a.b`, or `b` at the root.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
