//! One finding about what people wrote: settings, templates, rules, channels.

use super::text::{Lang, Text};

/// A finding that names the place and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// An error refuses the whole bundle or start; a warning is only shown.
    pub severity: Severity,
    /// File as the person named it, or the environment variable.
    pub file: String,
    /// First line of the place, counted from 1; 0 where there is none.
    pub line: usize,
    /// Column in characters, counted from 1; 0 where there is none.
    pub column: usize,
    /// Stable snake_case word for this kind of finding (`unknown_key`, `unknown_variable`, …).
    pub code: &'static str,
    /// What is wrong. Never holds a secret's value.
    pub what: Text,
    /// What to do about it.
    pub remedy: Text,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Refused.
    Error,
    /// Shown.
    Warning,
}

impl Diagnostic {
    /// One line for a terminal: `file:line:column: error[code]: what; remedy`.
    pub fn line(&self, lang: Lang) -> String {
        let kind = match (self.severity, lang) {
            (Severity::Error, Lang::En) => "error",
            (Severity::Warning, Lang::En) => "warning",
            (Severity::Error, Lang::Zh) => "错误",
            (Severity::Warning, Lang::Zh) => "提醒",
        };
        let place = match (self.line, self.column) {
            (0, _) => self.file.clone(),
            (l, 0) => format!("{}:{l}", self.file),
            (l, c) => format!("{}:{l}:{c}", self.file),
        };
        let sep = if lang == Lang::Zh { "。" } else { ". " };
        format!(
            "{place}: {kind}[{}]: {}{sep}{}",
            self.code,
            self.what.say(lang),
            self.remedy.say(lang)
        )
    }
}

/// The known word nearest to `word`, for "did you mean"; `None` when nothing is near enough to help.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(word, k), k))
        .filter(|(d, k)| *d <= k.chars().count().max(word.chars().count()) / 2)
        .min()
        .map(|(_, k)| k)
}
