//! The fault script: how WeCom can be told to fail.

use serde::{Deserialize, Serialize};

/// When a lost answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    /// The connection closes and nothing happened.
    Before,
    /// The call took effect, then the connection closes.
    After,
}

/// One line of the fault script. The oldest line that fits a call applies, and only that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// The path below `/cgi-bin/`; `*` is every path.
    pub path: String,
    /// Only calls whose body contains this text.
    pub contains: Option<String>,
    /// For how many calls; 0 = until cleared.
    pub times: u32,
    /// Wait that long first (with `after`: before the answer).
    pub delay_ms: u64,
    /// Answer with this HTTP status and no JSON.
    pub status: Option<u16>,
    /// Answer with this errcode.
    pub errcode: Option<i64>,
    /// Close the connection instead of answering.
    pub drop: Option<Lost>,
    /// Answer with JSON that breaks off (the call takes effect).
    pub malformed: bool,
    /// `status` and `errcode` answer a call that took effect nevertheless; the delay comes after it.
    pub after: bool,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            path: "*".to_owned(),
            contains: None,
            times: 1,
            delay_ms: 0,
            status: None,
            errcode: None,
            drop: None,
            malformed: false,
            after: false,
        }
    }
}

impl Fault {
    /// A fault for the next call of one path; tell it what goes wrong with the other methods.
    pub fn on(path: &str) -> Self {
        Self {
            path: path.trim_start_matches("/cgi-bin/").to_owned(),
            ..Self::default()
        }
    }

    /// For the next `n` calls.
    pub fn times(self, n: u32) -> Self {
        Self { times: n, ..self }
    }

    /// Until cleared.
    pub fn always(self) -> Self {
        self.times(0)
    }

    /// Only calls whose body contains this text.
    pub fn containing(self, text: &str) -> Self {
        Self {
            contains: Some(text.to_owned()),
            ..self
        }
    }

    /// Refused with this errcode.
    pub fn errcode(self, code: i64) -> Self {
        Self {
            errcode: Some(code),
            ..self
        }
    }

    /// Answered with this HTTP status.
    pub fn status(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// Slow.
    pub fn delay_ms(self, ms: u64) -> Self {
        Self { delay_ms: ms, ..self }
    }

    /// The answer is lost.
    pub fn lost(self, when: Lost) -> Self {
        Self {
            drop: Some(when),
            ..self
        }
    }

    /// The answer is broken JSON.
    pub fn malformed(self) -> Self {
        Self {
            malformed: true,
            ..self
        }
    }

    /// The call takes effect although the answer says otherwise; the delay comes after it.
    pub fn after_effect(self) -> Self {
        Self { after: true, ..self }
    }

    /// Nothing goes wrong.
    pub(super) fn none() -> Self {
        Self::default()
    }

    fn fits(&self, path: &str, body: &[u8]) -> bool {
        (self.path == "*" || self.path == path)
            && self
                .contains
                .as_ref()
                .is_none_or(|text| body.windows(text.len().max(1)).any(|w| w == text.as_bytes()) || text.is_empty())
    }
}

/// Takes the fault that fits a call out of the script, or one of its times.
pub(super) fn take(script: &mut Vec<Fault>, path: &str, body: &[u8]) -> Option<Fault> {
    let at = script.iter().position(|f| f.fits(path, body))?;
    let fault = script[at].clone();
    match fault.times {
        0 => {}
        1 => drop(script.remove(at)),
        n => script[at].times = n - 1,
    }
    Some(fault)
}
