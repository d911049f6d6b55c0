//! What WeCom allows, as data: rolling windows by API, sizes of lists, lives of codes.
//!
//! Numbers carry the id of their row in limits.md. WeCom may change them at any time; nothing else in the
//! house repeats them.

use std::time::Duration;

/// At most `limit` within any `window` (rolling: satisfies a fixed window too; which one WeCom uses is not documented).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Length.
    pub window: Duration,
    /// Calls.
    pub limit: u32,
}

const fn per(secs: u64, limit: u32) -> Rate {
    Rate {
        window: Duration::from_secs(secs),
        limit,
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// G1: one API of one corp. More is 45009 and a block for the rest of the window.
pub const PER_API: &[Rate] = &[per(MINUTE, 10_000), per(HOUR, 150_000)];

/// M2: one app to one member. More is dropped without a word, so it must never be sent.
pub const PER_MEMBER: &[Rate] = &[per(MINUTE, 30), per(HOUR, 1000)];

/// D6: pictures for links: a day and a month of their own (a month's block is 30 days, not the calendar's).
pub const UPLOAD_IMG: &[Rate] = &[
    per(MINUTE, 10_000),
    per(HOUR, 150_000),
    per(DAY, 1000),
    per(30 * DAY, 3000),
];

/// The windows of one API for one corp, by path below `/cgi-bin/`. Empty: not counted (M3: `message/send`).
pub fn of_api(path: &str) -> &'static [Rate] {
    match path {
        "message/send" => &[],
        "media/uploadimg" => UPLOAD_IMG,
        _ => PER_API,
    }
}

/// Lengths of a block after 45009, in the order in which to believe in them: a minute, an hour; after that the
/// rest of the natural day.
pub const BLOCKS: [Duration; 2] = [Duration::from_secs(MINUTE), Duration::from_secs(HOUR)];

/// B6: recipients of one `add_msg_template`.
pub const BROADCAST_RECIPIENTS: usize = 10_000;
/// M4: members of one `message/send`.
pub const MESSAGE_RECIPIENTS: usize = 1000;
/// K12: ids of one `kf/customer/batchget`.
pub const KF_CUSTOMERS: usize = 100;
/// K7: letters of a kf msgid.
pub const KF_MSGID: usize = 32;
/// M5: the duplicate window we ask for with `message/send`, seconds. Short, so that the same answer to the
/// same question a while later is not swallowed.
pub const DUPLICATE_CHECK_SECS: u32 = 60;
/// A repeat of `message/send` must reach WeCom inside that window: not started later than this after the first.
pub const DUPLICATE_SAFE: Duration = Duration::from_secs(50);
/// D5: life of a media id.
pub const MEDIA_LIFE: Duration = Duration::from_secs(3 * DAY);
/// When a media id is renewed: 2.5 of its 3 days.
pub const MEDIA_RENEW: Duration = Duration::from_secs(5 * DAY / 2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_to_members_do_not_count_as_api_calls() {
        assert!(of_api("message/send").is_empty());
        assert_eq!(of_api("kf/send_msg"), PER_API);
    }
}
