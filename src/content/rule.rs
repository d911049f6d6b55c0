//! `[[rule]]`: when something happens, what is said and done.

use std::time::Duration;

use super::choice;
use super::faults::Spot;
use super::keyword::{Keywords, Rank};
use super::reader::Written;
use super::trigger::{Source, Trigger};
use super::when::When;
use crate::model::StoreTime;
use crate::model::job::TagName;

/// `[[rule]]`
#[derive(Debug)]
pub struct Rule {
    /// Name, unique in the bundle.
    pub name: String,
    /// Trigger.
    pub on: Trigger,
    /// Tags to set.
    pub add_tags: Vec<TagName>,
    /// Tags to take away.
    pub remove_tags: Vec<TagName>,
    /// After it has fired: silent for so long in the same conversation. The defaults of CONTENT.md (1 h for a
    /// message rule that is a fallback, 24 h per member for `app_entered`) are already filled in.
    pub cooldown: Option<Duration>,
    pub(super) spot: Spot,
    /// Path in the sources and place in the file: the last two words on who wins.
    pub(super) path: String,
    pub(super) position: usize,
    pub(super) priority: i64,
    /// Who may speak; empty for events in which nobody speaks.
    pub(super) sources: Vec<Source>,
    /// Empty: all.
    pub(super) apps: Vec<String>,
    /// Empty: all.
    pub(super) kf: Vec<String>,
    pub(super) when: When,
    pub(super) keywords: Option<Keywords>,
    pub(super) says: Replies,
    /// Equal for rules with equal conditions.
    pub(super) fingerprint: String,
}

/// What a rule says.
#[derive(Debug)]
pub(super) enum Replies {
    /// All of them, in order.
    All(Vec<Written>),
    /// One of them, by weight.
    OneOf(Vec<(Written, u32)>),
}

/// The event as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Trigger.
    pub on: Trigger,
    /// Who speaks; `None` for contact events.
    pub source: Option<Source>,
    /// App that received it.
    pub app: &'a str,
    /// Short name of the kf account, if it has one.
    pub kf: Option<&'a str>,
    /// The member concerned (contact events) or speaking (agent).
    pub member: Option<&'a str>,
    /// The text, for messages; the key, for menu clicks.
    pub text: Option<&'a str>,
    /// The event's time (acceptance; kf: `send_time`).
    pub at: StoreTime,
}

/// What else is known of who speaks, for `when = { scene, scene_param, tags }`. What is not known matches
/// nothing; [`super::Bundle::matching`] knows none of it, [`super::Bundle::matching_with`] takes it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Scene of the kf link by which the customer entered.
    pub scene: Option<&'a str>,
    /// Its parameter.
    pub scene_param: Option<&'a str>,
    /// Tags and labels of the contact: on contact events those of the relation, in kf those of every one.
    pub tags: &'a [TagName],
}

/// Rules that match an event, best first (CONTENT, "Winner").
#[derive(Debug, Default)]
pub struct Ranked<'a> {
    /// Best first; the keyword of each that matched is what `{{ message.keyword }}` says.
    pub matching: Vec<(&'a Rule, Option<String>)>,
}

impl Rule {
    /// Templates to send, in order: all of `reply`, or the one variant chosen by a stable hash of rule and
    /// conversation.
    pub fn replies(&self, conversation: &str) -> Vec<&str> {
        match &self.says {
            Replies::All(templates) => templates.iter().map(|t| t.text.as_str()).collect(),
            Replies::OneOf(variants) => {
                let weights: Vec<u32> = variants.iter().map(|(_, w)| *w).collect();
                let chosen = choice::choose(&weights, &[&self.name, conversation]);
                chosen.map(|i| variants[i].0.text.as_str()).into_iter().collect()
            }
        }
    }

    /// True for a rule that has an answer; without one a rule only tags, or is silent on purpose
    /// (`reply = []`).
    pub fn has_reply(&self) -> bool {
        match &self.says {
            Replies::All(templates) => !templates.is_empty(),
            Replies::OneOf(_) => true,
        }
    }

    /// Everything but the keywords.
    pub(super) fn concerns(&self, event: &Candidate<'_>, known: &Known<'_>) -> bool {
        // Where only one can speak, nobody needs to say who does.
        let spoken = self.on.sources().len() < 2 || event.source.is_some_and(|s| self.sources.contains(&s));
        let app = self.apps.is_empty() || self.apps.iter().any(|a| a == event.app);
        let kf = self.kf.is_empty() || event.kf.is_some_and(|k| self.kf.iter().any(|name| name == k));
        spoken && app && kf && self.when.holds(event.member, event.at, known)
    }

    /// The best kind of match it can have.
    pub(super) fn rank(&self) -> Rank {
        self.keywords.as_ref().map_or(Rank::Unconditional, Keywords::rank)
    }
}

impl Replies {
    /// Each possible answer: the templates that would be sent together.
    pub fn alternatives(&self) -> Vec<Vec<&Written>> {
        match self {
            Self::All(templates) => vec![templates.iter().collect()],
            Self::OneOf(variants) => variants.iter().map(|(t, _)| vec![t]).collect(),
        }
    }

    /// Every template it may send.
    pub fn templates(&self) -> Vec<&Written> {
        self.alternatives().into_iter().flatten().collect()
    }
}
