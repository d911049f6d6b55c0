//! A decision in the making: jobs, document, counters, and what was left undone.

use std::collections::BTreeMap;

use super::{Input, REPEAT, Undecidable};
use crate::content::{Candidate, Known, Rule, Trigger};
use crate::model::job::{Part, Say};
use crate::model::{Action, Conversation, Decision, Doc, PlannedJob, Skipped, StoreTime};
use crate::wecom::id::{ExternalUserId, UserId};

/// Values of variables that the event brings.
pub(super) type Vars = BTreeMap<String, String>;

/// A decision in the making.
pub(super) struct Plan<'a> {
    pub input: Input<'a>,
    /// The document as it will be.
    pub doc: Doc,
    decision: Decision,
}

/// The rule that decides an event.
pub(super) enum Choice<'a> {
    /// This one, with the keyword that matched.
    Rule(&'a Rule, Option<String>),
    /// All that match cool down; `understood`: one of them has answered this very thing moments ago, and is no
    /// fallback.
    Cooling { understood: bool },
    /// None matches.
    None,
}

impl<'a> Plan<'a> {
    pub fn new(input: Input<'a>) -> Self {
        Self {
            doc: input.doc.clone(),
            decision: Decision::default(),
            input,
        }
    }

    /// The event's first acceptance.
    pub fn accepted(&self) -> StoreTime {
        self.input.entry.accepted
    }

    /// The canonical key of the conversation: the seed of every stable choice.
    pub fn conversation(&self) -> String {
        self.input.entry.body.conversation.key()
    }

    /// Adds a job; its place is the second half of its id.
    pub fn job(&mut self, action: Action, rule: Option<&str>, deadline: Option<StoreTime>) {
        self.decision.jobs.push(PlannedJob {
            action,
            rule: rule.map(Into::into),
            deadline,
        });
    }

    /// Puts on record what is not done, and why.
    pub fn skip(&mut self, what: &str, reason: &str, rule: Option<&str>) {
        self.decision.skipped.push(Skipped {
            what: what.into(),
            reason: reason.into(),
            rule: rule.map(Into::into),
        });
    }

    /// Raises a counter by one.
    pub fn count(&mut self, name: String) {
        self.decision.counters.push((name, 1));
    }

    /// Names the winner, unless one is named already.
    pub fn won(&mut self, rule: &str) {
        self.decision.rule.get_or_insert_with(|| rule.into());
    }

    /// What a template says for this event.
    pub fn say(&self, template: &str, part: Part, at: StoreTime, vars: &Vars) -> Say {
        Say {
            template: template.into(),
            part,
            bundle: self.input.bundle.hash.clone(),
            at,
            vars: vars.clone(),
            frozen: false,
        }
    }

    /// The rule that decides this event: the best one that does not cool down. `chat` tells the chats of one
    /// conversation apart (a contact may write to several kf accounts).
    ///
    /// A fallback never speaks in the place of a keyword rule that cools down: that one understood the message
    /// and has answered it moments ago.
    pub fn choose(&mut self, event: &Candidate<'_>, known: &Known<'_>, chat: Option<&str>) -> Choice<'a> {
        let (mut understood, mut silent) = (false, false);
        for (rule, keyword) in self.input.bundle.matching_with(event, known).matching {
            let fallback = event.on == Trigger::Message && keyword.is_none();
            if fallback && understood {
                continue;
            }
            if !self.cools(rule, chat) {
                self.won(&rule.name);
                return Choice::Rule(rule, keyword);
            }
            self.skip("reply", "cooldown", Some(&rule.name));
            understood |= !fallback;
            silent = true;
        }
        match silent {
            true => Choice::Cooling { understood },
            false => Choice::None,
        }
    }

    /// True while a rule is to be silent here.
    pub fn cools(&self, rule: &Rule, chat: Option<&str>) -> bool {
        self.doc
            .cooldowns
            .get(&cooldown_key(rule, chat))
            .is_some_and(|until| *until > self.input.now)
    }

    /// The rule has spoken: from now on it cools down.
    pub fn cool(&mut self, rule: &Rule, chat: Option<&str>) {
        if let Some(time) = rule.cooldown {
            let until = self.input.now.plus(time);
            self.doc.cooldowns.insert(cooldown_key(rule, chat), until);
        }
    }

    /// An entry about a contact must lie in that contact's conversation, else it would change somebody else's
    /// document.
    pub fn expect_contact(&self, contact: &ExternalUserId) -> Result<(), Undecidable> {
        match &self.input.entry.body.conversation {
            Conversation::Contact(_, own) if own == contact => Ok(()),
            _ => Err(Undecidable::new("wrong_conversation")),
        }
    }

    /// The same for a member's chat with an app.
    pub fn expect_member(&self, member: &UserId) -> Result<(), Undecidable> {
        match &self.input.entry.body.conversation {
            Conversation::MemberChat(_, _, own) if own == member => Ok(()),
            _ => Err(Undecidable::new("wrong_conversation")),
        }
    }

    /// The decision: what has run out is pruned from the document, and an unchanged document is not written.
    pub fn finish(mut self) -> Decision {
        let now = self.input.now;
        self.doc.cooldowns.retain(|_, until| *until > now);
        prune_said(&mut self.doc, now);
        if self.doc != *self.input.doc {
            self.decision.doc = Some(self.doc);
        }
        self.decision
    }
}

/// Forgets what was said too long ago to be repeated.
pub(super) fn prune_said(doc: &mut Doc, now: StoreTime) {
    doc.said.retain(|(_, at)| now.since(*at) < REPEAT);
}

fn cooldown_key(rule: &Rule, chat: Option<&str>) -> String {
    match chat {
        Some(chat) => format!("{}@{chat}", rule.name),
        None => rule.name.clone(),
    }
}
