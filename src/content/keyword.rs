//! `keywords = { … }`: groups of words, all of which must agree.

use regex::{Regex, RegexBuilder};

use super::faults::Faults;
use super::fold::{fold, fold_pattern};
use super::reader::{Table, Written};
use crate::model::Text;

/// A compiled pattern may take this much memory: a longer one is a mistake, not a keyword.
const REGEX_BYTES: usize = 1 << 20;

/// Keywords of a rule before they are numbered. In `any`, `exact`, `prefix` and `regex` one word is enough,
/// in `all` every word is needed, in `none` no word may occur.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    pub exact: Vec<Word>,
    pub all: Vec<Word>,
    pub prefix: Vec<Word>,
    pub any: Vec<Word>,
    pub none: Vec<Word>,
    pub regex: Vec<Regex>,
}

/// A keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As the operator wrote it.
    pub written: String,
    /// As it is compared.
    pub folded: String,
}

/// Which kind of match decides a rule's rank, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rank {
    Exact,
    All,
    Prefix,
    AnyOrRegex,
    Unconditional,
}

impl Keywords {
    /// Compiles `table.keywords`; `None` when there are none.
    pub fn compile(table: &Table<'_>, faults: &mut Faults) -> Option<Self> {
        let table = table.table("keywords", faults)?;
        table.only(&["any", "all", "none", "exact", "prefix", "regex"], faults);
        let found = Self {
            exact: words(&table, "exact", faults),
            all: words(&table, "all", faults),
            prefix: words(&table, "prefix", faults),
            any: words(&table, "any", faults),
            none: words(&table, "none", faults),
            regex: patterns(&table, faults),
        };
        for (written, word) in table
            .texts("any", &mut Faults::default())
            .iter()
            .flatten()
            .zip(&found.any)
        {
            if word.folded.len() == 1 {
                faults.warn(
                    &written.spot,
                    "short_keyword",
                    Text::new(
                        format!("关键词“{}”太短，很多消息都会含有它", word.written),
                        format!(
                            "the keyword \"{}\" is so short that many messages contain it",
                            word.written
                        ),
                    ),
                    Text::new("改用 exact", "Use exact instead"),
                );
            }
        }
        Some(found)
    }

    /// The best kind of match among its groups.
    pub fn rank(&self) -> Rank {
        if !self.exact.is_empty() {
            Rank::Exact
        } else if !self.all.is_empty() {
            Rank::All
        } else if !self.prefix.is_empty() {
            Rank::Prefix
        } else if !self.any.is_empty() || !self.regex.is_empty() {
            Rank::AnyOrRegex
        } else {
            Rank::Unconditional
        }
    }

    /// True when no word of it could be read.
    pub fn is_empty(&self) -> bool {
        self.rank() == Rank::Unconditional && self.none.is_empty()
    }

    /// A text that is equal for rules with equal keywords.
    pub fn fingerprint(&self) -> String {
        let list = |words: &[Word]| {
            let mut all: Vec<&str> = words.iter().map(|w| w.folded.as_str()).collect();
            all.sort_unstable();
            all.join("\u{1}")
        };
        let regex: Vec<&str> = self.regex.iter().map(Regex::as_str).collect();
        let groups = [&self.exact, &self.all, &self.prefix, &self.any, &self.none].map(|g| list(g));
        format!("{}\u{2}{}", groups.join("\u{2}"), regex.join("\u{1}"))
    }
}

fn words(table: &Table<'_>, key: &str, faults: &mut Faults) -> Vec<Word> {
    let Some(written) = listed(table, key, faults) else {
        return Vec::new();
    };
    let mut words: Vec<Word> = Vec::new();
    for w in written {
        let word = Word {
            folded: fold(&w.text),
            written: w.text.trim().to_owned(),
        };
        if word.folded.is_empty() {
            faults.error(
                &w.spot,
                "empty_keyword",
                Text::new("关键词是空的", "the keyword is empty"),
                Text::new("写上文字，或删掉它", "Write a word, or remove it"),
            );
        } else if !words.iter().any(|known| known.folded == word.folded) {
            words.push(word);
        }
    }
    words
}

fn patterns(table: &Table<'_>, faults: &mut Faults) -> Vec<Regex> {
    let mut patterns = Vec::new();
    for written in listed(table, "regex", faults).unwrap_or_default() {
        let built = RegexBuilder::new(&fold_pattern(&written.text))
            .case_insensitive(true)
            .size_limit(REGEX_BYTES)
            .dfa_size_limit(REGEX_BYTES)
            .build();
        match built {
            Ok(regex) => patterns.push(regex),
            Err(e) => {
                let said = e.to_string();
                let said = said
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                faults.error(
                    &written.spot,
                    "bad_regex",
                    Text::new(
                        format!("正则表达式不对：{said}"),
                        format!("not a usable regular expression: {said}"),
                    ),
                    Text::new(
                        "用单引号写（'\\d{6}'）；不支持前后查看和反向引用；全角标点就是标点本身",
                        "Write it in single quotes ('\\d{6}'); look-around and back-references are not supported",
                    ),
                );
            }
        }
    }
    patterns
}

fn listed(table: &Table<'_>, key: &str, faults: &mut Faults) -> Option<Vec<Written>> {
    let found = table.texts(key, faults)?;
    if found.is_empty() {
        faults.error(
            &table.spot(),
            "empty_list",
            Text::new(format!("keywords.{key} 是空的"), format!("keywords.{key} is empty")),
            Text::new("写上关键词，或删掉这个键", "Give it keywords, or remove the key"),
        );
    }
    Some(found)
}
