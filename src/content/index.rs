//! All rules at once: which of them match an event, best first.
//!
//! All keywords of all rules are one double-array automaton that is run once over the folded text, so the time
//! does not grow with the number of rules. Each rule hangs on the words of one of its groups; only rules whose
//! word occurred, and the few that need none, are looked at closely.

use std::cmp::Reverse;
use std::collections::HashMap;

use daachorse::{CharwiseDoubleArrayAhoCorasick, CharwiseDoubleArrayAhoCorasickBuilder, MatchKind};

use super::faults::{Faults, Spot};
use super::fold::{fold, fold_width};
use super::keyword::Word;
use super::rule::{Candidate, Known, Ranked, Rule};
use super::trigger::Trigger;
use crate::model::Text;

/// Rules, ready for matching.
#[derive(Default)]
pub(super) struct RuleIndex {
    automaton: Option<CharwiseDoubleArrayAhoCorasick<u32>>,
    /// Word → rules that need it, as places in `order`.
    by_word: Vec<Vec<u32>>,
    /// Rules that need no word, as places in `order`.
    always: HashMap<Trigger, Vec<u32>>,
    /// Best first: places in the bundle's list of rules.
    order: Vec<usize>,
    /// Of each place in `order`: its words by number.
    words: Vec<Numbered>,
}

impl std::fmt::Debug for RuleIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleIndex")
            .field("rules", &self.order.len())
            .field("words", &self.by_word.len())
            .finish()
    }
}

/// A rule's keywords by number.
#[derive(Debug, Default)]
struct Numbered {
    exact: Vec<u32>,
    all: Vec<u32>,
    prefix: Vec<u32>,
    any: Vec<u32>,
    none: Vec<u32>,
}

/// Where in the text a word occurred.
#[derive(Clone, Copy)]
struct Hit {
    word: u32,
    at_start: bool,
    whole: bool,
}

/// What a text contains.
#[derive(Default)]
struct Hits(Vec<Hit>);

impl Hits {
    fn get(&self, word: u32) -> Option<Hit> {
        self.0.binary_search_by_key(&word, |h| h.word).ok().map(|i| self.0[i])
    }
}

impl RuleIndex {
    /// Over these rules. The only fault it can find is that there are more keywords than an automaton can hold.
    pub fn of(rules: &[Rule], faults: &mut Faults) -> Self {
        let mut order: Vec<usize> = (0..rules.len()).collect();
        order.sort_by(|a, b| {
            let key = |r: &Rule| (Reverse(r.priority), r.rank());
            let (a, b) = (&rules[*a], &rules[*b]);
            key(a)
                .cmp(&key(b))
                .then_with(|| (&a.path, a.position).cmp(&(&b.path, b.position)))
        });
        let mut numbers = Numbers::default();
        let mut index = Self {
            order,
            ..Self::default()
        };
        for (place, rule) in index.order.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            let Some(keywords) = &rules[*rule].keywords else {
                index.always.entry(rules[*rule].on).or_default().push(place);
                index.words.push(Numbered::default());
                continue;
            };
            let numbered = Numbered {
                exact: numbers.of(&keywords.exact),
                all: numbers.of(&keywords.all),
                prefix: numbers.of(&keywords.prefix),
                any: numbers.of(&keywords.any),
                none: numbers.of(&keywords.none),
            };
            index.by_word.resize_with(numbers.count(), Vec::new);
            // The rule hangs on the words of one group only: the one that occurs most rarely.
            let group = [
                &numbered.exact[..],
                numbered.all.get(..1).unwrap_or_default(),
                &numbered.prefix,
                &numbered.any,
            ];
            match group.into_iter().find(|g| !g.is_empty()) {
                Some(words) => words.iter().for_each(|w| index.by_word[*w as usize].push(place)),
                None => index.always.entry(rules[*rule].on).or_default().push(place),
            }
            index.words.push(numbered);
        }
        index.automaton = numbers.automaton(faults);
        index
    }

    /// Rules that match, best first.
    pub fn matching<'a>(&self, rules: &'a [Rule], event: &Candidate<'_>, known: &Known<'_>) -> Ranked<'a> {
        let folded = event.text.map(fold).unwrap_or_default();
        let hits = self.hits(&folded);
        let mut places: Vec<u32> = self.always.get(&event.on).cloned().unwrap_or_default();
        places.extend(hits.0.iter().flat_map(|h| &self.by_word[h.word as usize]));
        places.sort_unstable();
        places.dedup();
        let mut wide: Option<String> = None;
        let mut matching = Vec::new();
        for place in places {
            let rule = &rules[self.order[place as usize]];
            if rule.on != event.on || !rule.concerns(event, known) {
                continue;
            }
            let Some(keyword) = self.keyword(rule, place, event, &hits, &mut wide) else {
                continue;
            };
            matching.push((rule, keyword));
        }
        Ranked { matching }
    }

    fn hits(&self, folded: &str) -> Hits {
        let Some(automaton) = &self.automaton else {
            return Hits::default();
        };
        let mut hits: Vec<Hit> = automaton
            .find_overlapping_iter(folded)
            .map(|m| Hit {
                word: m.value(),
                at_start: m.start() == 0,
                whole: m.start() == 0 && m.end() == folded.len(),
            })
            .collect();
        hits.sort_unstable_by_key(|h| h.word);
        hits.dedup_by(|next, kept| {
            let same = next.word == kept.word;
            if same {
                kept.at_start |= next.at_start;
                kept.whole |= next.whole;
            }
            same
        });
        Hits(hits)
    }

    /// `None`: the rule's keywords do not agree. `Some(None)`: it has none. Else the word that matched, as the
    /// operator wrote it, or the text that a pattern found.
    fn keyword(
        &self,
        rule: &Rule,
        place: u32,
        event: &Candidate<'_>,
        hits: &Hits,
        wide: &mut Option<String>,
    ) -> Option<Option<String>> {
        let Some(keywords) = &rule.keywords else {
            return Some(None);
        };
        let numbered = &self.words[place as usize];
        if numbered.none.iter().any(|w| hits.get(*w).is_some()) {
            return None;
        }
        let mut said: Option<String> = None;
        let mut one_of = |numbers: &[u32], words: &[Word], fits: &dyn Fn(Hit) -> bool| -> bool {
            if numbers.is_empty() {
                return true;
            }
            let found = numbers.iter().position(|w| hits.get(*w).is_some_and(fits));
            if let Some(i) = found {
                said.get_or_insert_with(|| words[i].written.clone());
            }
            found.is_some()
        };
        let agree = one_of(&numbered.exact, &keywords.exact, &|h| h.whole)
            && numbered.all.iter().all(|w| hits.get(*w).is_some())
            && one_of(&numbered.all, &keywords.all, &|_| true)
            && one_of(&numbered.prefix, &keywords.prefix, &|h| h.at_start)
            && one_of(&numbered.any, &keywords.any, &|_| true);
        if !agree {
            return None;
        }
        if !keywords.regex.is_empty() {
            let text = wide.get_or_insert_with(|| fold_width(event.text.unwrap_or_default()));
            event.text?;
            let found = keywords.regex.iter().find_map(|r| r.find(text))?;
            said.get_or_insert_with(|| found.as_str().to_owned());
        }
        Some(said)
    }
}

/// Gives every different keyword a number.
#[derive(Default)]
struct Numbers(HashMap<String, u32>);

impl Numbers {
    fn of(&mut self, words: &[Word]) -> Vec<u32> {
        let mut number = |w: &Word| {
            let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
            *self.0.entry(w.folded.clone()).or_insert(next)
        };
        words.iter().map(&mut number).collect()
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn automaton(self, faults: &mut Faults) -> Option<CharwiseDoubleArrayAhoCorasick<u32>> {
        if self.0.is_empty() {
            return None;
        }
        let mut words: Vec<(String, u32)> = self.0.into_iter().collect();
        words.sort_unstable();
        let built = CharwiseDoubleArrayAhoCorasickBuilder::new()
            .match_kind(MatchKind::Standard)
            .build_with_values(words);
        match built {
            Ok(automaton) => Some(automaton),
            Err(e) => {
                faults.error(
                    &Spot::whole("rules"),
                    "too_many_keywords",
                    Text::new(format!("关键词太多：{e}"), format!("too many keywords: {e}")),
                    Text::new("减少关键词", "Use fewer keywords"),
                );
                None
            }
        }
    }
}

/// Reports rules that can never win because an equal one always wins before them.
pub(super) fn warn_of_shadowed(rules: &[Rule], index: &RuleIndex, faults: &mut Faults) {
    let mut first: HashMap<String, &Rule> = HashMap::new();
    for rule in index.order.iter().map(|i| &rules[*i]) {
        // With a cool-down the earlier rule is silent at times, and the later one speaks: that may be meant.
        match first.get(rule.fingerprint.as_str()) {
            Some(earlier) if earlier.cooldown.is_none() => {
                let (name, other, at) = (&rule.name, &earlier.name, &earlier.spot);
                faults.warn(
                    &rule.spot,
                    "shadowed_rule",
                    Text::new(
                        format!("规则“{name}”的条件与“{other}”（{at}）相同，永远轮不到它"),
                        format!("rule \"{name}\" has the same conditions as \"{other}\" ({at}), which always wins"),
                    ),
                    Text::new("合并两条，或改条件", "Merge the two, or change the conditions"),
                );
            }
            Some(_) => {}
            None => {
                first.insert(rule.fingerprint.clone(), rule);
            }
        }
    }
}
