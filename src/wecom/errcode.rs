//! What an answer's number means: class and stable reason word, as data.
//!
//! The one rule: decide on the number only. `errmsg` changes at any time and carries a hint for WeCom's support.
//! A code that is not in the table is a final refusal of that one job, counted as unknown and never repeated
//! in a loop. Where the table says [`Class::Config`], [`Reach`] says how much has to wait for a person.

use std::borrow::Cow;

/// What to do about an errcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The access token is no longer good: refresh it once, repeat the call once.
    RefreshToken,
    /// Passes by itself: again after a while.
    Backoff,
    /// Too many calls: wait until the window has passed.
    Freeze,
    /// It can no longer matter.
    Expired,
    /// Final for this job.
    Reject,
    /// A person has to change something at WeCom or in the settings.
    Config(Reach),
    /// Member and customer are no contacts (any more, or not yet).
    NotAFriend,
}

/// How far a configuration error reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Every app of the corp (untrusted IP, corp banned).
    Tenant,
    /// Every call of this app (wrong secret, app disabled).
    App,
    /// This app's calls of this API (not authorised for it).
    Call,
    /// Only the object this job names (a kf account, a member out of sight): the job is refused, others go on.
    Object,
}

/// One row: number, class, reason word; an empty word means `wecom_<code>`.
type Row = (i64, Class, &'static str);

const RT: Class = Class::RefreshToken;
const BO: Class = Class::Backoff;
const FZ: Class = Class::Freeze;
const EX: Class = Class::Expired;
const RJ: Class = Class::Reject;
const NF: Class = Class::NotAFriend;
const TENANT: Class = Class::Config(Reach::Tenant);
const APP: Class = Class::Config(Reach::App);
const CALL: Class = Class::Config(Reach::Call);
const OBJECT: Class = Class::Config(Reach::Object);

/// What [`of`] tells of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// What to do.
    pub class: Class,
    /// Stable snake_case word.
    pub reason: Cow<'static, str>,
    /// False: the number is in no table of ours.
    pub known: bool,
}

/// The meaning of a number other than 0. An unknown one is [`Class::Reject`].
pub fn of(code: i64) -> Meaning {
    let row = TABLE
        .binary_search_by_key(&code, |r| r.0)
        .ok()
        .and_then(|i| TABLE.get(i));
    let (class, word, known) = row.map_or((Class::Reject, "", false), |r| (r.1, r.2, true));
    Meaning {
        class,
        reason: if word.is_empty() {
            Cow::Owned(format!("wecom_{code}"))
        } else {
            Cow::Borrowed(word)
        },
        known,
    }
}

/// WeCom answered `kf/send_msg` under a msgid it had seen before, as far as anyone knows: the code is not
/// documented, so these count only when an earlier try of ours may have arrived.
pub const REUSED_MSGID: [i64; 3] = [40035, 40058, 40063];

/// Sorted by number (a test keeps it so). Source: errcodes.md §1–§6.
#[rustfmt::skip]
static TABLE: &[Row] = &[
    (-1, BO, "system_busy"),
    (6000, BO, "version_conflict"),
    (40001, RT, "invalid_secret"), (40003, RJ, "invalid_userid"), (40004, RJ, ""), (40005, RJ, ""), (40006, RJ, ""),
    (40007, RJ, "invalid_media_id"), (40008, RJ, ""), (40009, RJ, ""), (40011, RJ, ""),
    (40013, APP, "invalid_corpid"), (40014, RT, "invalid_token"),
    (40029, EX, ""), (40031, RJ, ""), (40032, RJ, ""), (40033, RJ, ""), (40035, RJ, "invalid_parameter"),
    (40039, RJ, ""), (40050, RJ, ""), (40056, CALL, "invalid_agentid"), (40058, RJ, "invalid_parameter"),
    (40063, RJ, "parameter_empty"), (40068, RJ, "invalid_tag_id"), (40070, RJ, ""), (40071, RJ, "tag_exists"),
    (40072, RJ, "tag_name_length"), (40074, RJ, ""), (40091, APP, "invalid_secret"), (40094, RJ, ""),
    (40096, RJ, "invalid_external_userid"), (40097, RJ, ""), (40098, OBJECT, ""), (40099, RJ, ""),
    (40100, BO, "in_transfer"), (40123, RJ, ""), (40126, RJ, "too_many_tags"), (40127, RJ, ""), (40128, RJ, ""),
    (40129, BO, "in_transfer"), (40130, RJ, ""), (40131, RJ, ""), (40143, RJ, ""),
    (40165, CALL, ""), (40166, CALL, ""), (40167, CALL, ""),
    (40201, RJ, "sensitive_content"), (40203, RJ, ""), (40204, RJ, "sensitive_content"), (40205, OBJECT, ""),
    (40206, RJ, "body_too_large"),
    (41001, CALL, ""), (41002, APP, ""), (41004, APP, ""), (41006, RJ, ""), (41009, RJ, ""), (41011, RJ, ""),
    (41016, RJ, ""), (41033, RJ, ""), (41035, RJ, ""), (41036, RJ, ""), (41037, RJ, ""), (41038, RJ, ""),
    (41039, RJ, ""), (41040, RJ, ""), (41041, RJ, ""), (41042, RJ, ""), (41043, RJ, ""), (41044, RJ, ""),
    (41045, RJ, ""), (41046, RJ, ""), (41047, RJ, ""), (41048, RJ, "nobody_can_receive"), (41049, RJ, "no_welcome_code"),
    (41050, EX, "code_expired"), (41051, RJ, "already_welcomed"), (41052, RJ, ""),
    (41053, EX, "archive_not_agreed"), (41054, OBJECT, ""), (41055, RJ, ""), (41056, RJ, ""), (41057, CALL, ""),
    (41058, OBJECT, ""), (41059, RJ, ""), (41060, RJ, ""), (41061, RJ, ""), (41062, RJ, ""),
    (41063, BO, "still_dispatched"), (41064, RJ, "too_many_attachments"), (41065, RJ, "attachment_kind"),
    (41067, RJ, ""), (41072, RJ, "media_of_other_scene"), (41078, BO, ""), (41079, BO, ""), (41080, RJ, ""),
    (41081, RJ, ""), (41082, RJ, ""), (41088, RJ, ""), (41089, RJ, ""), (41090, RJ, ""), (41091, RJ, ""),
    (41093, EX, ""), (41094, FZ, "reminded_too_often"), (41095, RJ, ""), (41096, BO, "welcome_in_progress"),
    (41102, RJ, ""),
    (42001, RT, "token_expired"), (42014, RJ, ""), (42015, RJ, ""), (42016, RJ, ""), (42028, RJ, ""),
    (42031, RJ, ""), (42035, RJ, ""), (42036, RJ, ""), (42037, RJ, ""), (42042, RJ, ""), (42047, RJ, ""),
    (42051, RJ, ""), (42052, EX, ""),
    (43004, RJ, ""), (43009, OBJECT, "corp_not_verified"), (43012, CALL, "no_callback_url"),
    (44001, RJ, "media_empty"), (44004, RJ, "text_empty"),
    (45001, RJ, "media_too_large"), (45002, RJ, "content_too_large"), (45004, RJ, ""), (45007, RJ, ""),
    (45008, RJ, ""), (45009, FZ, "frequency"), (45022, RJ, ""), (45024, OBJECT, ""), (45029, RJ, ""),
    (45031, APP, "secret_not_safe"), (45032, RJ, ""), (45033, BO, "concurrency"), (45034, RJ, ""),
    (46004, RJ, ""),
    (48001, CALL, "api_not_authorised"), (48002, CALL, "api_not_allowed"), (48003, APP, ""), (48004, APP, ""),
    (48005, CALL, "api_retired"), (48006, CALL, ""), (48007, OBJECT, "kf_account_not_authorised"),
    (49008, RJ, ""),
    (50001, CALL, ""), (50002, OBJECT, "member_out_of_range"), (50003, APP, "app_disabled"),
    (50006, APP, "app_disabled"), (50100, RJ, ""),
    (60011, OBJECT, "no_permission"), (60020, TENANT, "ip_not_trusted"), (60021, OBJECT, "member_out_of_range"),
    (60030, OBJECT, "member_out_of_range"), (60031, APP, "app_barred"), (60111, RJ, "member_unknown"),
    (60140, EX, ""), (60252, OBJECT, "kf_account_unknown"),
    (81012, RJ, ""), (81013, RJ, "nobody_can_receive"), (81017, RJ, ""), (81026, BO, "maintenance"),
    (82001, RJ, "no_recipient"), (82002, RJ, ""), (82003, RJ, ""), (82004, RJ, "harmful_content"),
    (84061, NF, "not_a_friend"), (84062, CALL, ""), (84074, CALL, "no_contact_permission"),
    (84083, OBJECT, "not_a_service_person"), (84084, NF, "not_a_friend"),
    (85002, RJ, "sensitive_content"),
    (86001, RJ, ""), (86003, RJ, ""), (86004, RJ, ""), (86005, RJ, ""), (86006, RJ, ""), (86007, RJ, ""),
    (86008, OBJECT, ""), (86101, RJ, ""), (86201, RJ, ""), (86202, RJ, ""), (86203, RJ, ""), (86204, RJ, ""),
    (86205, RJ, ""), (86206, RJ, ""), (86207, RJ, ""), (86214, RJ, ""), (86215, RJ, ""), (86216, RJ, ""),
    (86217, RJ, ""), (86220, RJ, ""),
    (90201, RJ, ""), (90202, RJ, ""), (90203, RJ, ""), (90204, RJ, ""), (90206, OBJECT, "miniprogram_not_linked"),
    (90207, OBJECT, ""), (90208, OBJECT, ""), (90500, RJ, ""), (90501, RJ, ""), (90502, RJ, ""), (90503, RJ, ""),
    (90504, RJ, ""), (90507, RJ, ""), (90508, RJ, ""), (90509, RJ, ""), (90511, RJ, ""),
    (93000, OBJECT, ""), (93004, OBJECT, ""), (93006, OBJECT, ""), (93008, OBJECT, ""),
    (95000, OBJECT, "kf_account_unknown"), (95001, FZ, "kf_count_limit"), (95002, EX, "kf_window_closed"),
    (95003, OBJECT, "corp_not_verified"), (95004, OBJECT, "kf_account_unknown"), (95005, OBJECT, ""),
    (95006, RJ, ""), (95007, BO, "msgtoken_expired"), (95008, RJ, "too_many_menu_items"), (95009, RJ, ""),
    (95011, CALL, ""), (95012, CALL, ""), (95013, EX, "session_ended"), (95014, RJ, "not_a_receptionist"),
    (95015, CALL, ""), (95016, RJ, "illegal_session_move"), (95017, CALL, "kf_api_off"),
    (95018, RJ, "session_state"), (95019, RJ, "receptionist_paused"), (95022, RJ, ""), (95023, CALL, "kf_api_off"),
    (95026, OBJECT, ""), (95027, OBJECT, ""), (95030, RJ, "forbidden_kind"), (95031, EX, "kf_window_closed"),
    (95032, CALL, ""),
    (301002, CALL, "invalid_agentid"), (301007, TENANT, "corp_unavailable"), (301019, RJ, ""), (301021, RJ, ""),
    (301023, RJ, ""), (301042, TENANT, "ip_not_trusted"),
    (701008, OBJECT, ""),
    (830001, RJ, ""), (830002, RJ, ""), (830003, BO, ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_number_once() {
        assert!(TABLE.windows(2).all(|w| w[0].0 < w[1].0), "binary search needs it");
    }

    #[test]
    fn reasons_are_snake_case_words() {
        for (code, _, word) in TABLE {
            assert!(
                word.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{code}: {word:?}"
            );
        }
    }

    #[test]
    fn each_class_of_the_quick_table_holds_its_codes() {
        let holds = |class: Class, codes: &[i64]| {
            for c in codes {
                assert_eq!(of(*c).class, class, "{c}");
            }
        };
        holds(RT, &[40014, 42001, 40001]);
        holds(BO, &[-1, 6000, 41063, 41078, 41079, 41096, 45033, 81026, 830_003]);
        holds(FZ, &[45009, 41094, 95001]);
        holds(EX, &[41050, 41053, 42052, 60140, 95002, 95013, 95031, 40029]);
        holds(NF, &[84061, 84084]);
        for c in [
            40013, 40091, 48002, 48007, 50003, 60011, 60020, 60030, 301_002, 93000, 95011, 95012, 95017,
        ] {
            assert!(matches!(of(c).class, Class::Config(_)), "{c}");
        }
    }

    #[test]
    fn an_unknown_number_is_a_final_refusal_and_says_that_it_is_unknown() {
        let m = of(99_999);
        assert_eq!(
            (m.class, m.reason.as_ref(), m.known),
            (Class::Reject, "wecom_99999", false)
        );
        assert_eq!(of(40004).reason, "wecom_40004");
        assert!(of(40004).known);
    }
}
