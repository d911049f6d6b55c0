//! Every fault in the writing of a rule is refused with its place.

use super::{compile, good, one_error, said};

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
fn a_rule_needs_a_known_trigger() {
    rule("reply = \"a\"", "missing_key", 1, 1);
    let line = rule("on = \"contact_add\"\nreply = \"a\"", "unknown_trigger", 2, 6);
    assert!(line.contains("Did you mean \"contact_added\"?"), "{line}");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let line = rule(
        "on = \"contact_added\"\nreplies = \"a\"\nreply = \"a\"",
        "unknown_key",
        3,
        1,
    );
    assert!(line.contains("Did you mean \"reply\"?"), "{line}");
    rule(
        "on = \"message\"\nkeywords = { any = [\"ab\"], nono = [\"x\"] }\nreply = \"a\"",
        "unknown_key",
        3,
        28,
    );
}

#[test]
fn names_of_rules_are_unique_in_all_files() {
    let rule = "[[rule]]\nname = \"x\"\non = \"contact_added\"\nreply = \"a\"\n";
    let files = [A, ("rules/a.toml", rule), ("rules/b.toml", rule)];
    let found = compile(&files).unwrap_err();
    let d = found.iter().find(|d| d.code == "duplicate_rule_name").unwrap();
    assert_eq!((d.file.as_str(), d.line), ("config/rules/b.toml", 1));
    assert!(d.what.en.contains("config/rules/a.toml:1"), "{}", said(&found));
}

#[test]
fn a_rule_does_something_or_says_that_it_is_silent() {
    rule("on = \"contact_added\"", "no_action", 1, 1);
    fine("on = \"message\"\nkeywords = { exact = [\"退订\"] }\nreply = []");
}

#[test]
fn a_message_rule_without_keywords_says_that_it_is_a_fallback() {
    rule("on = \"message\"\nreply = \"a\"", "needs_fallback", 1, 1);
    rule(
        "on = \"message\"\nkeywords = { none = [\"a\"] }\nreply = \"a\"",
        "needs_fallback",
        1,
        1,
    );
    fine("on = \"message\"\nfallback = true\nreply = \"a\"");
    fine("on = \"message\"\nfallback = true\nkeywords = { none = [\"ab\"] }\nreply = \"a\"");
    let both = "on = \"message\"\nfallback = true\nkeywords = { any = [\"ab\"] }\nreply = \"a\"";
    rule(both, "fallback_with_keywords", 3, 12);
    rule(
        "on = \"contact_added\"\nfallback = true\nreply = \"a\"",
        "fallback_not_here",
        3,
        12,
    );
}

#[test]
fn keywords_belong_to_what_has_a_text() {
    rule(
        "on = \"contact_added\"\nkeywords = { any = [\"ab\"] }\nreply = \"a\"",
        "keywords_not_here",
        3,
        12,
    );
    fine("on = \"menu_click\"\nkeywords = { exact = [\"price\"] }\nreply = \"a\"");
}

#[test]
fn keywords_are_never_empty() {
    rule(
        "on = \"message\"\nkeywords = { any = [\"　\"] }\nreply = \"a\"",
        "empty_keyword",
        3,
        21,
    );
    rule(
        "on = \"message\"\nkeywords = { any = [] }\nreply = \"a\"",
        "empty_list",
        3,
        12,
    );
}

#[test]
fn a_pattern_must_be_one_and_stay_small() {
    rule(
        "on = \"message\"\nkeywords = { regex = ['(a'] }\nreply = \"a\"",
        "bad_regex",
        3,
        23,
    );
    rule(
        "on = \"message\"\nkeywords = { regex = ['\\w{1000}{100}'] }\nreply = \"a\"",
        "bad_regex",
        3,
        23,
    );
}

#[test]
fn a_tag_is_not_added_and_removed_at_once() {
    rule(
        "on = \"contact_added\"\ntags = { add = [\"A/B\"], remove = [\"A/B\"] }",
        "tag_added_and_removed",
        3,
        8,
    );
}

#[test]
fn apps_and_kf_accounts_are_those_of_the_settings() {
    let line = rule(
        "on = \"contact_added\"\napps = [\"mian\"]\nreply = \"a\"",
        "unknown_app",
        3,
        8,
    );
    assert!(line.contains("Did you mean \"main\"?"), "{line}");
    rule(
        "on = \"enter_session\"\nkf = [\"sale\"]\nreply = \"a\"",
        "unknown_kf",
        3,
        6,
    );
}

#[test]
fn reply_and_variants_exclude_each_other() {
    rule(
        "on = \"contact_added\"\nreply = \"a\"\nvariants = [{ template = \"a\" }]",
        "reply_and_variants",
        4,
        12,
    );
    rule(
        "on = \"contact_added\"\nvariants = [{ weight = 1 }]",
        "missing_key",
        3,
        13,
    );
    rule(
        "on = \"contact_added\"\nvariants = [{ template = \"a\", weight = 0 }]",
        "bad_weight",
        1,
        1,
    );
}

#[test]
fn a_cooldown_is_a_duration() {
    for word in ["30", "1w", "1.5h", "h", "", "9999d", "-1s"] {
        rule(
            &format!("on = \"contact_added\"\ncooldown = \"{word}\"\nreply = \"a\""),
            "bad_duration",
            3,
            12,
        );
    }
}

#[test]
fn an_unknown_template_is_named_once_where_it_is_used() {
    let lines = "on = \"message\"\nkeywords = { any = [\"ab\"] }\nreply = [\"a\", \"c\"]";
    rule(lines, "unknown_template", 4, 15);
}

#[test]
fn a_rule_that_never_wins_is_a_warning() {
    let text = "[[rule]]\nname = \"x\"\non = \"message\"\nkeywords = { any = [\"ＡＢ\"] }\nreply = \"a\"\n\
                [[rule]]\nname = \"y\"\non = \"message\"\nkeywords = { any = [\"ab\"] }\nreply = \"b\"\n";
    let (_, found) = compile(&[A, B, ("rules/r.toml", text)]).unwrap();
    assert_eq!((found[0].code, found[0].line), ("shadowed_rule", 6), "{}", said(&found));
}

#[test]
fn a_keyword_of_one_letter_is_a_warning() {
    let text = "[[rule]]\non = \"message\"\nkeywords = { any = [\"a\"] }\nreply = \"a\"\n";
    let (_, found) = compile(&[A, ("rules/r.toml", text)]).unwrap();
    assert_eq!(
        (found[0].code, found[0].line, found[0].column),
        ("short_keyword", 3, 21)
    );
}
