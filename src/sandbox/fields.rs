//! Reading a call's fields as strictly as WeCom does.
//!
//! Missing or empty where required: 40063 (or the API's own number). Wrong type, too long, too many: 40058.

use serde_json::Value;

use super::refusal::{Refusal, refuse};

/// A JSON object under examination.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a Value);

impl<'a> Fields<'a> {
    /// A text that must be there and not empty; `missing` is the API's number for its absence.
    pub(super) fn text(self, key: &str, missing: i64) -> Result<&'a str, Refusal> {
        match self.0.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            Some(Value::String(_) | Value::Null) | None => refuse(missing, key),
            Some(_) => refuse(40058, key),
        }
    }

    /// A text that may be missing or empty: both read as `None`.
    pub(super) fn may_text(self, key: &str) -> Result<Option<&'a str>, Refusal> {
        match self.0.get(key) {
            Some(Value::String(text)) => Ok((!text.is_empty()).then_some(text.as_str())),
            Some(Value::Null) | None => Ok(None),
            Some(_) => refuse(40058, key),
        }
    }

    /// A text of at most `most` characters, possibly missing.
    pub(super) fn short(self, key: &str, most: usize) -> Result<Option<&'a str>, Refusal> {
        let text = self.may_text(key)?;
        match text {
            Some(t) if t.chars().count() > most => refuse(40058, key),
            _ => Ok(text),
        }
    }

    /// A text of at most `most` bytes that must be there.
    pub(super) fn sized(self, key: &str, most: usize) -> Result<&'a str, Refusal> {
        let text = self.text(key, 40063)?;
        if text.len() > most {
            refuse(40058, key)
        } else {
            Ok(text)
        }
    }

    /// A whole number that may be missing.
    pub(super) fn may_int(self, key: &str) -> Result<Option<i64>, Refusal> {
        match self.0.get(key) {
            Some(Value::Null) | None => Ok(None),
            Some(v) => v.as_i64().map_or_else(|| refuse(40058, key), |n| Ok(Some(n))),
        }
    }

    /// A whole number that must be there.
    pub(super) fn int(self, key: &str) -> Result<i64, Refusal> {
        self.may_int(key)?.map_or_else(|| refuse(40063, key), Ok)
    }

    /// A list of texts, at most `most`; missing is empty.
    pub(super) fn texts(self, key: &str, most: usize) -> Result<Vec<&'a str>, Refusal> {
        let mut out = Vec::new();
        for v in self.list(key, most)? {
            match v {
                Value::String(text) => out.push(text.as_str()),
                _ => return refuse(40058, key),
            }
        }
        Ok(out)
    }

    /// A list of anything, at most `most`; missing is empty.
    pub(super) fn list(self, key: &str, most: usize) -> Result<&'a [Value], Refusal> {
        match self.0.get(key) {
            Some(Value::Array(list)) if list.len() <= most => Ok(list),
            Some(Value::Null) | None => Ok(&[]),
            Some(_) => refuse(40058, key),
        }
    }

    /// An object that must be there.
    pub(super) fn object(self, key: &str) -> Result<Fields<'a>, Refusal> {
        match self.0.get(key) {
            Some(v @ Value::Object(_)) => Ok(Fields(v)),
            Some(Value::Null) | None => refuse(40063, key),
            Some(_) => refuse(40058, key),
        }
    }

    /// A page's offset out of `cursor` (50100 when it is none of ours); missing or empty is the beginning.
    pub(super) fn cursor(self) -> Result<usize, Refusal> {
        match self.may_text("cursor")? {
            None => Ok(0),
            Some(c) => c
                .strip_prefix("page-")
                .and_then(|n| n.parse().ok())
                .map_or_else(|| refuse(50100, "cursor"), Ok),
        }
    }

    /// A page's offset out of `cursor`, and its length out of `limit`.
    pub(super) fn page(self, usual: usize, most: usize) -> Result<(usize, usize), Refusal> {
        let from = self.cursor()?;
        let limit = match self.may_int("limit")? {
            None | Some(0) => usual,
            Some(n) => match usize::try_from(n) {
                Ok(n) if n <= most => n,
                _ => return refuse(40058, "limit"),
            },
        };
        Ok((from, limit))
    }
}

/// The cursor after a page; empty at the end.
pub(super) fn next_cursor(from: usize, taken: usize, all: usize) -> String {
    if from + taken < all {
        format!("page-{}", from + taken)
    } else {
        String::new()
    }
}

/// Cuts at a character so that at most `most` bytes stay: what WeCom does to a text that is too long.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
