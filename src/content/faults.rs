//! Where things stand in a file, and the list of what was found wrong.

use std::ops::Range;
use std::sync::Arc;

use crate::model::diagnostic::{Severity, nearest};
use crate::model::{Diagnostic, Text};

/// A place in a file, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// File as the person named it.
    pub file: Arc<str>,
    /// From 1; 0: the file as a whole.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Spot {
    /// The file as a whole.
    pub fn whole(file: &str) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
        }
    }
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// One text file of the sources and the name under which people know it.
#[derive(Debug)]
pub(super) struct SourceFile<'a> {
    /// As people name it: `config/rules/price.toml`.
    pub shown: Arc<str>,
    /// Its text, line ends `\n`.
    pub text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> SourceFile<'a> {
    /// A text under its name.
    pub fn new(shown: &str, text: &'a str) -> Self {
        let begins = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            shown: shown.into(),
            text,
            lines: std::iter::once(0).chain(begins).collect(),
        }
    }

    /// The place of a byte offset.
    pub fn spot(&self, offset: usize) -> Spot {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.lines.partition_point(|begin| *begin <= end);
        let begin = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        Spot {
            file: self.shown.clone(),
            line,
            column: self.text[begin..end].chars().count() + 1,
        }
    }

    /// The raw text of a span.
    pub fn raw(&self, span: &Range<usize>) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }
}

/// Everything found so far. Finding one fault never stops the search for the next.
#[derive(Debug, Default)]
pub(super) struct Faults {
    list: Vec<Diagnostic>,
}

impl Faults {
    /// Adds an error.
    pub fn error(&mut self, at: &Spot, code: &'static str, what: Text, remedy: Text) {
        self.add(Severity::Error, at, code, what, remedy);
    }

    /// Adds a warning.
    pub fn warn(&mut self, at: &Spot, code: &'static str, what: Text, remedy: Text) {
        self.add(Severity::Warning, at, code, what, remedy);
    }

    fn add(&mut self, severity: Severity, at: &Spot, code: &'static str, what: Text, remedy: Text) {
        let file = at.file.to_string();
        let found = Diagnostic {
            severity,
            file,
            line: at.line,
            column: at.column,
            code,
            what,
            remedy,
        };
        if !self.list.contains(&found) {
            self.list.push(found);
        }
    }

    /// Takes over what was found elsewhere.
    pub fn extend(&mut self, found: Vec<Diagnostic>) {
        self.list.extend(found);
    }

    /// A word that is none of the known ones. `what` names the kind of word in both languages.
    pub fn unknown(&mut self, at: &Spot, code: &'static str, what: (&str, &str), word: &str, known: &[&str]) {
        // A long list helps nobody; the nearest word does.
        let all = match known.len() {
            0..=30 => known.join(", "),
            _ => format!("{}, …", known[..30].join(", ")),
        };
        let remedy = match nearest(word, known.iter().copied()) {
            Some(near) => Text::new(
                format!("是不是“{near}”？可用的有：{all}"),
                format!("Did you mean \"{near}\"? Known: {all}"),
            ),
            None if known.is_empty() => Text::new("先在配置里添加它", "Add it to the settings first"),
            None => Text::new(format!("可用的有：{all}"), format!("Known: {all}")),
        };
        let text = Text::new(
            format!("{}“{word}”不存在", what.0),
            format!("unknown {} \"{word}\"", what.1),
        );
        self.error(at, code, text, remedy);
    }

    /// All findings, errors first, then by file and place.
    pub fn sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by(|a, b| {
            let key = |d: &Diagnostic| (d.severity != Severity::Error, d.line, d.column, d.code);
            (a.severity != Severity::Error, &a.file)
                .cmp(&(b.severity != Severity::Error, &b.file))
                .then_with(|| key(a).cmp(&key(b)))
        });
        self.list
    }
}
