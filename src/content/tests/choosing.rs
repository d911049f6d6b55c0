//! Channels by state, welcomes by condition and weight.

use super::super::Bundle;
use super::{at, good};

const TEMPLATES: [(&str, &str); 3] = [
    ("templates/a.toml", "text = \"a\""),
    ("templates/b.toml", "text = \"b\""),
    ("templates/n.toml", "text = \"n\""),
];

fn channels(text: &str) -> Bundle {
    good(&[TEMPLATES[0], TEMPLATES[1], TEMPLATES[2], ("channels.toml", text)])
}

fn one(welcome: &str) -> Bundle {
    channels(&format!("[[channel]]\nstate = \"s\"\nwelcome = {welcome}\n"))
}

fn welcome<'a>(bundle: &'a Bundle, contact: &str, member: &str, hour: i64) -> Option<&'a str> {
    bundle.channels[0].welcome(contact, member, at(hour, 0))
}

#[test]
fn a_state_finds_the_exact_channel_then_the_longest_prefix_then_the_last_resort() {
    let states = ["store-*", "store-sh-*", "store-sh-1", "", "*"];
    let text: String = states
        .iter()
        .map(|s| format!("[[channel]]\nstate = \"{s}\"\n"))
        .collect();
    let bundle = channels(&text);
    let found = |state| bundle.channel(state).map(|m| (m.channel.state.as_str(), m.param));
    assert_eq!(found(Some("store-sh-1")), Some(("store-sh-1", "")));
    assert_eq!(found(Some("store-sh-12")), Some(("store-sh-*", "12")));
    assert_eq!(found(Some("store-北京")), Some(("store-*", "北京")));
    assert_eq!(found(Some("store-")), Some(("store-*", "")));
    assert_eq!(found(Some("other")), Some(("*", "other")));
    assert_eq!(found(Some("")), Some(("", "")));
    assert_eq!(found(None), Some(("", "")));
}

#[test]
fn without_a_last_resort_an_unknown_state_is_nobodys() {
    let bundle = channels("[[channel]]\nstate = \"a-*\"\n[[channel]]\nstate = \"b\"\n");
    assert!(bundle.channel(Some("c")).is_none());
    assert!(bundle.channel(None).is_none());
    let bundle = channels("[[channel]]\nstate = \"*\"\n");
    assert_eq!(bundle.channel(None).unwrap().channel.state, "*");
}

#[test]
fn a_channel_without_a_welcome_welcomes_nobody() {
    let bundle = channels("[[channel]]\nstate = \"s\"\nname = \"S\"\n[[channel]]\nstate = \"t\"\nignore = true\n");
    assert_eq!(welcome(&bundle, "wo1", "li", 12), None);
    assert!(bundle.channels[1].ignore);
    assert_eq!(
        bundle.channels[1].name, "t",
        "a channel without a name is called by its state"
    );
}

#[test]
fn an_entry_whose_condition_holds_goes_before_all_others() {
    let bundle = one("[{ template = \"a\", weight = 50 }, { template = \"n\", when = { hours = \"22:00-08:00\" } }]");
    assert_eq!(welcome(&bundle, "wo1", "li", 23), Some("n"));
    assert_eq!(welcome(&bundle, "wo1", "li", 7), Some("n"));
    assert_eq!(welcome(&bundle, "wo1", "li", 8), Some("a"));
    let bundle = one("[{ template = \"n\", when = { members = [\"li\"] } }, { template = \"a\" }]");
    assert_eq!(welcome(&bundle, "wo1", "li", 8), Some("n"));
    assert_eq!(welcome(&bundle, "wo1", "wang", 8), Some("a"));
    let bundle = one("[{ template = \"n\", when = { weekdays = [1] } }]");
    assert_eq!(welcome(&bundle, "wo1", "li", 8), None, "2026-11-22 is a Sunday");
}

#[test]
fn weights_share_out_and_the_same_contact_always_gets_the_same() {
    let bundle =
        one("[{ template = \"a\", weight = 75 }, { template = \"b\", weight = 25 }, { template = \"n\", weight = 0 }]");
    let contacts: Vec<String> = (0..4000).map(|n| format!("wo{n}")).collect();
    let chosen: Vec<&str> = contacts
        .iter()
        .map(|c| welcome(&bundle, c, "li", 12).unwrap())
        .collect();
    let a = chosen.iter().filter(|t| **t == "a").count();
    assert!((2850..=3150).contains(&a), "{a} of 4000 for 75 %");
    assert!(!chosen.contains(&"n"));
    for (contact, template) in contacts.iter().zip(&chosen) {
        assert_eq!(welcome(&bundle, contact, "wang", 3).as_ref(), Some(template));
    }
}

#[test]
fn the_choice_of_this_version_is_that_of_every_version() {
    // People keep the variant they have once seen: these must never change.
    let bundle = one("[{ template = \"a\", weight = 50 }, { template = \"b\", weight = 50 }]");
    let chosen: String = (0..16)
        .filter_map(|n| welcome(&bundle, &format!("wo{n}"), "li", 12))
        .collect();
    assert_eq!(chosen, "babbababbbbbaabb");
}

#[test]
fn variants_of_a_rule_are_one_and_replies_are_all() {
    let rules = "[[rule]]\nname = \"v\"\non = \"contact_added\"\n\
                 variants = [{ template = \"a\", weight = 1 }, { template = \"b\", weight = 1 }]\n\
                 [[rule]]\nname = \"r\"\non = \"app_entered\"\nreply = [\"a\", \"b\"]\n\
                 [[rule]]\nname = \"t\"\non = \"contact_lost\"\ntags = { add = [\"A/B\"] }\n";
    let bundle = good(&[TEMPLATES[0], TEMPLATES[1], ("rules/r.toml", rules)]);
    let mut seen: Vec<&str> = (0..50)
        .flat_map(|n| bundle.rules[0].replies(&format!("c/ww1/wo{n}")))
        .collect();
    assert_eq!(seen.len(), 50);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, ["a", "b"]);
    assert_eq!(bundle.rules[1].replies("m/ww1/main/li"), ["a", "b"]);
    assert_eq!(bundle.rules[2].replies("c/ww1/wo1"), [""; 0]);
    assert_eq!(
        bundle.rules.iter().map(|r| r.has_reply()).collect::<Vec<_>>(),
        [true, true, false]
    );
}
