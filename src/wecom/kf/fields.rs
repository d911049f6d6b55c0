//! Lenient access to a JSON object.

use serde_json::Value;

use crate::wecom::event::WelcomeCode;
use crate::wecom::id::UserId;

/// A JSON object whose fields are read leniently: numbers as text and the other way round, empty as missing.
#[derive(Clone, Copy)]
pub(super) struct Fields<'v>(pub(super) &'v Value);

impl<'v> Fields<'v> {
    pub(super) fn text(self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(s) if !s.is_empty() => Some(s.clone()),
            Value::Number(n) => Some(n.to_string()),
            _ => None,
        }
    }

    pub(super) fn number(self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Number(n) => n.as_i64(),
            Value::String(s) => s.trim().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn user(self, name: &str) -> Option<UserId> {
        UserId::parse(self.0.get(name)?.as_str()?.trim()).ok()
    }

    pub(super) fn code(self, name: &str) -> Option<WelcomeCode> {
        self.text(name).map(WelcomeCode)
    }

    pub(super) fn inside(self, name: &str) -> Fields<'v> {
        Fields(self.0.get(name).unwrap_or(&Value::Null))
    }
}
