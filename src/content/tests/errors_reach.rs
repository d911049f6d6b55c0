//! Every action that cannot reach anybody is refused, saying so.

use super::{compile, compile_for, corp, good, one_error};
use crate::settings::AppKind;

const A: (&str, &str) = ("templates/a.toml", "text = \"a\"");
const B: (&str, &str) = ("templates/b.toml", "text = \"b\"");
const MENU: (&str, &str) = (
    "templates/menu.toml",
    "[menu]\nitems = [{ id = \"a\", text = \"b\" }]\n",
);

#[track_caller]
fn rules(text: &str, code: &str, line: usize, column: usize) -> String {
    one_error(
        &[A, B, MENU, ("rules/r.toml", text)],
        code,
        "config/rules/r.toml",
        line,
        column,
    )
}

/// A rule with these lines, from line 2 on.
#[track_caller]
fn rule(lines: &str, code: &str, line: usize, column: usize) -> String {
    rules(&format!("[[rule]]\n{lines}\n"), code, line, column)
}

fn fine(lines: &str) {
    good(&[A, B, MENU, ("rules/r.toml", &format!("[[rule]]\n{lines}\n"))]);
}

#[test]
fn nobody_can_be_addressed_by_a_rule() {
    // "@all" and lists of recipients have no key to stand under.
    rule(
        "on = \"app_entered\"\nreply = \"a\"\ntouser = \"@all\"",
        "unknown_key",
        4,
        1,
    );
}

#[test]
fn a_reply_that_cannot_reach_anybody_is_refused() {
    for on in [
        "contact_half_added",
        "contact_lost",
        "contact_removed",
        "contact_transferred",
        "contact_edited",
        "transfer_failed",
        "archive_agreed",
        "member_unsubscribed",
    ] {
        rule(&format!("on = \"{on}\"\nreply = \"a\""), "reply_cannot_reach", 3, 9);
        rule(
            &format!("on = \"{on}\"\nvariants = [{{ template = \"a\" }}]"),
            "reply_cannot_reach",
            3,
            12,
        );
    }
    for on in [
        "contact_added",
        "enter_session",
        "session_changed",
        "menu_click",
        "app_entered",
        "member_subscribed",
    ] {
        fine(&format!("on = \"{on}\"\nreply = \"a\""));
    }
}

#[test]
fn tags_that_cannot_be_set_are_refused() {
    for on in [
        "contact_removed",
        "contact_transferred",
        "app_entered",
        "member_subscribed",
        "member_unsubscribed",
    ] {
        rule(
            &format!("on = \"{on}\"\ntags = {{ add = [\"A/B\"] }}"),
            "tags_cannot_reach",
            3,
            8,
        );
    }
    for on in [
        "contact_added",
        "contact_half_added",
        "contact_lost",
        "contact_edited",
        "transfer_failed",
    ] {
        fine(&format!("on = \"{on}\"\ntags = {{ add = [\"A/B\"] }}"));
    }
    for on in ["archive_agreed", "enter_session", "session_changed", "menu_click"] {
        fine(&format!("on = \"{on}\"\ntags = {{ add = [\"A/B\"] }}"));
    }
}

#[test]
fn customer_tags_on_a_members_message_are_refused() {
    let lines = "on = \"message\"\nsource = [\"agent\"]\nkeywords = { any = [\"ab\"] }\ntags = { add = [\"A/B\"] }";
    let line = rule(lines, "tags_cannot_reach", 5, 8);
    assert!(line.contains("source = [\"kf\"]"), "{line}");
    // Where nobody says who speaks, it is whom the action can reach.
    let bundle = good(&[(
        "rules/r.toml",
        "[[rule]]\non = \"message\"\nkeywords = { any = [\"ab\"] }\ntags = { add = [\"A/B\"] }\n",
    )]);
    assert_eq!(bundle.rules[0].sources, [super::super::Source::Kf]);
}

#[test]
fn a_welcome_and_an_event_code_are_one_template() {
    let line = rule(
        "on = \"contact_added\"\nreply = [\"a\", \"b\"]",
        "two_templates_in_a_welcome",
        3,
        9,
    );
    assert!(line.contains("variants"), "{line}");
    rule(
        "on = \"enter_session\"\nreply = [\"a\", \"b\"]",
        "two_templates_for_a_code",
        3,
        9,
    );
    fine("on = \"contact_added\"\nvariants = [{ template = \"a\", weight = 1 }, { template = \"b\", weight = 1 }]");
    let bot = "on = \"message\"\nsource = \"bot\"\nkeywords = { any = [\"ab\"] }\nreply = [\"a\", \"b\"]";
    rule(bot, "two_templates_for_a_bot", 5, 9);
}

#[test]
fn a_kf_reply_is_at_most_five_messages_in_all() {
    let images = "text = \"a\"\n".to_owned() + &"[[attachments]]\ntype = \"image\"\nfile = \"a.png\"\n".repeat(3);
    let kf = |reply: &str| {
        format!("[[rule]]\non = \"message\"\nsource = [\"kf\"]\nkeywords = {{ any = [\"ab\"] }}\nreply = [{reply}]\n")
    };
    let six = kf("\"four\", \"a\", \"a\"");
    let files = [
        A,
        ("templates/four.toml", images.as_str()),
        ("rules/r.toml", six.as_str()),
    ];
    let line = one_error(&files, "too_many_messages", "config/rules/r.toml", 5, 9);
    assert!(line.contains("6 messages"), "{line}");
    let five = kf("\"four\", \"a\"");
    good(&[A, files[1], ("rules/r.toml", five.as_str())]);
}

#[test]
fn who_speaks_must_be_possible() {
    rule(
        "on = \"contact_added\"\nsource = [\"kf\"]\nreply = \"a\"",
        "source_not_here",
        3,
        10,
    );
    rule(
        "on = \"enter_session\"\nsource = [\"agent\"]\nreply = \"a\"",
        "source_not_here",
        3,
        10,
    );
    rule(
        "on = \"message\"\nsource = [\"wechat\"]\nfallback = true\nreply = \"a\"",
        "unknown_source",
        3,
        11,
    );
    rule(
        "on = \"app_entered\"\nkf = [\"sales\"]\nreply = \"a\"",
        "kf_not_here",
        3,
        6,
    );
    let agent = "on = \"message\"\nsource = [\"agent\"]\nkf = [\"sales\"]\nfallback = true\nreply = \"a\"";
    rule(agent, "kf_not_here", 4, 6);
}

#[test]
fn a_condition_on_what_is_never_known_is_refused() {
    rule(
        "on = \"enter_session\"\nwhen = { members = [\"a\"] }\nreply = \"a\"",
        "condition_never_holds",
        3,
        8,
    );
    rule(
        "on = \"app_entered\"\nwhen = { scene = [\"a\"] }\nreply = \"a\"",
        "condition_never_holds",
        3,
        8,
    );
    rule(
        "on = \"app_entered\"\nwhen = { tags = [\"A/B\"] }\nreply = \"a\"",
        "condition_never_holds",
        3,
        8,
    );
    fine(
        "on = \"enter_session\"\nwhen = { scene = [\"a\"], hours = \"22:00-08:00\", weekdays = [\"mon-fri\"] }\nreply = \"a\"",
    );
}

#[test]
fn a_template_for_kf_only_is_refused_for_members() {
    let lines = "on = \"message\"\nsource = [\"agent\"]\nkeywords = { any = [\"ab\"] }\nreply = [\"menu\"]";
    rule(lines, "part_not_here", 5, 10);
    // Said to nobody in particular, it is for those who can get it.
    fine("on = \"message\"\nkeywords = { any = [\"ab\"] }\nreply = [\"menu\"]");
}

#[test]
fn answers_that_no_app_can_send_are_a_warning() {
    let mut corp = corp();
    corp.apps[0].kind = vec![AppKind::Contacts];
    let text = "[[rule]]\non = \"message\"\nsource = [\"agent\"]\nfallback = true\nreply = \"a\"\n";
    let (_, found) = compile_for(&[A, ("rules/r.toml", text)], &corp).unwrap();
    assert_eq!((found[0].code, found[0].line), ("no_app_for_kind", 3));
}

#[test]
fn a_value_that_a_place_never_knows_is_a_warning() {
    let text = "[[rule]]\non = \"app_entered\"\nreply = \"c\"\n";
    let files = [
        ("templates/c.toml", "text = \"{{ contact.name }}\""),
        ("rules/r.toml", text),
    ];
    let (_, found) = compile(&files).unwrap();
    assert_eq!(
        (found[0].code, found[0].line, found[0].column),
        ("variable_never_known", 1, 12)
    );
}
