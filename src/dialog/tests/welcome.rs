//! CONTENT, "One welcome per relation" and "Channels".

use super::*;

const CHANNELS: &str = r#"
[[channel]]
state = "sh-poster"
name = "Poster"
tags = ["Source/Poster"]
welcome = [{ template = "hello", weight = 1 }]
[[channel]]
state = "store-*"
name = "Stores"
welcome = [{ template = "price", weight = 1 }]
[[channel]]
state = "mall-*"
name = "Malls"
ignore = true
[[channel]]
state = ""
name = "No state"
welcome = [{ template = "night", when = { hours = "22:00-08:00" } }, { template = "help", weight = 1 }]
"#;

const CODE: (&str, &str) = ("WelcomeCode", "CODE1");

fn delivered(house: &mut House, decision: &Decision) {
    let made = house.make(decision);
    house.starts(&made[0]);
    assert!(house.ends_as(&made[0], Outcome::Delivered, "ok").is_empty());
}

#[test]
fn the_channel_of_the_state_says_the_welcome() {
    for (state, welcome, rule) in [
        (Some("sh-poster"), "welcome:hello", "channel:sh-poster"),
        (Some("store-12"), "welcome:price", "channel:store-*"),
        (Some(""), "welcome:help", "channel:"),
        (None, "welcome:help", "channel:"),
    ] {
        let mut house = House::new(CHANNELS, "");
        let mut more = vec![CODE];
        more.extend(state.map(|s| ("State", s)));
        let decision = house.change("add_external_contact", "zhangsan", &more);
        assert_eq!(words(&decision)[0], welcome, "{state:?}");
        assert_eq!(decision.rule.as_deref(), Some(rule));
        assert_eq!(decision.jobs[0].rule.as_deref(), Some(rule));
    }
}

#[test]
fn a_welcome_that_is_meant_for_the_night_is_said_at_night() {
    let mut house = House::new(CHANNELS, "");
    house.later(secs(11 * 3600));
    let decision = house.change("add_external_contact", "zhangsan", &[CODE]);
    assert_eq!(words(&decision)[0], "welcome:night");
}

#[test]
fn the_welcome_brings_the_values_of_its_channel_and_none_of_a_message() {
    let mut house = House::new(CHANNELS, "");
    let decision = house.change("add_external_contact", "zhangsan", &[CODE, ("State", "store-12")]);
    let vars = &decision.jobs[0].action.say().unwrap().vars;
    let vars: Vec<(&str, &str)> = vars.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        vars,
        [
            ("channel.name", "Stores"),
            ("channel.param", "12"),
            ("channel.state", "store-12"),
            ("contact.is_new", "true"),
            ("member.userid", "zhangsan"),
        ]
    );
}

#[test]
fn a_welcomes_deadline_is_its_first_acceptance_and_nineteen_seconds() {
    let mut house = House::new(CHANNELS, "");
    let accepted = house.now;
    house.later(secs(7));
    let body = house.change_body("add_external_contact", "zhangsan", &[CODE]);
    let decision = house.try_decide_accepted(body, accepted).unwrap();
    assert_eq!(decision.jobs[0].deadline, Some(accepted.plus(secs(19))));
    assert_eq!(decision.jobs[0].action.say().unwrap().at, accepted);
}

#[test]
fn a_welcome_never_stands_behind_look_ups_or_tags() {
    let mut house = House::new(CHANNELS, "");
    let decision = house.change("add_external_contact", "zhangsan", &[CODE, ("State", "sh-poster")]);
    assert_eq!(words(&decision), ["welcome:hello", "mark_tags", "read_contact"]);
}

#[test]
fn an_ignored_channel_gets_no_welcome_and_no_tags() {
    let rules = "[[rule]]\nname = \"vip\"\non = \"contact_added\"\nreply = [\"hello\"]\ntags = { add = [\"A/B\"] }\n";
    let mut house = House::new(CHANNELS, rules);
    let decision = house.change("add_external_contact", "zhangsan", &[CODE, ("State", "mall-7")]);
    assert_eq!(words(&decision), ["read_contact"]);
    assert_eq!(undone(&decision), ["welcome:ignored_channel", "tags:ignored_channel"]);
}

#[test]
fn without_a_code_nothing_is_sent() {
    for kind in [
        "add_external_contact",
        "add_half_external_contact",
        "msg_audit_approved",
    ] {
        let mut house = House::new(CHANNELS, "");
        let decision = house.change(kind, "zhangsan", &[]);
        assert!(!words(&decision).iter().any(|w| w.starts_with("welcome")), "{kind}");
        assert_eq!(undone(&decision), ["welcome:no_welcome_code"], "{kind}");
    }
}

#[test]
fn each_of_three_events_may_bring_the_code() {
    for kind in [
        "add_external_contact",
        "add_half_external_contact",
        "msg_audit_approved",
    ] {
        let mut house = House::new(CHANNELS, "");
        let decision = house.change(kind, "zhangsan", &[CODE]);
        assert_eq!(words(&decision)[0], "welcome:help", "{kind}");
    }
}

#[test]
fn the_full_addition_remembers_the_state_of_the_half_one() {
    let mut house = House::new(CHANNELS, "");
    house.change("add_half_external_contact", "zhangsan", &[("State", "sh-poster")]);
    let decision = house.change("add_external_contact", "zhangsan", &[CODE]);
    assert_eq!(words(&decision)[0], "welcome:hello");
    assert_eq!(tagged(&decision)["zhangsan"], ["Source/Poster"]);
}

#[test]
fn at_most_one_welcome_is_delivered_within_ten_minutes() {
    let mut house = House::new(CHANNELS, "");
    let first = house.change("add_half_external_contact", "zhangsan", &[CODE]);
    delivered(&mut house, &first);
    let second = house.change("add_external_contact", "zhangsan", &[("WelcomeCode", "CODE2")]);
    assert_eq!(words(&second), ["read_contact"]);
    assert_eq!(undone(&second), ["welcome:already_welcomed"]);
    // Another member's relation is another one; and after ten minutes a new code is used again.
    let other = house.change("add_external_contact", "lisi", &[("WelcomeCode", "CODE3")]);
    assert_eq!(words(&other)[0], "welcome:help");
    house.later(secs(600));
    let third = house.change("add_external_contact", "zhangsan", &[("WelcomeCode", "CODE4")]);
    assert_eq!(words(&third)[0], "welcome:help");
}

#[test]
fn a_later_code_is_used_if_the_first_welcome_ended_expired_or_rejected() {
    for (outcome, again) in [
        (Outcome::Expired, true),
        (Outcome::Rejected, true),
        (Outcome::Cancelled, true),
        (Outcome::Delivered, false),
        (Outcome::Uncertain, false),
        (Outcome::Dead, false),
    ] {
        let mut house = House::new(CHANNELS, "");
        let first = house.change("add_half_external_contact", "zhangsan", &[CODE]);
        let made = house.make(&first);
        house.ends_as(&made[0], outcome, "why");
        let second = house.change("add_external_contact", "zhangsan", &[("WelcomeCode", "CODE2")]);
        assert_eq!(words(&second)[0] == "welcome:help", again, "{outcome:?}");
    }
}

#[test]
fn the_second_of_two_welcomes_in_flight_stands_back_when_the_first_arrives() {
    let mut house = House::new(CHANNELS, "");
    let first = house.change("add_half_external_contact", "zhangsan", &[CODE]);
    let first = house.make(&first);
    let second = house.change("add_external_contact", "zhangsan", &[("WelcomeCode", "CODE2")]);
    let second = house.make(&second);
    assert_eq!(first[0].job.action.sequence(), second[0].job.action.sequence());
    house.starts(&first[0]);
    house.ends_as(&first[0], Outcome::Delivered, "ok");
    let ending = house.asks(&second[0], 1).unwrap();
    assert_eq!(
        (ending.outcome, ending.reason.as_ref()),
        (Outcome::Cancelled, "already_welcomed")
    );
    house.ends(&second[0], &ending);
    let third = house.change("add_external_contact", "zhangsan", &[("WelcomeCode", "CODE3")]);
    assert_eq!(undone(&third), ["welcome:already_welcomed"]);
}

#[test]
fn the_second_of_two_welcomes_in_flight_goes_when_the_first_fails() {
    let mut house = House::new(CHANNELS, "");
    let first = house.change("add_half_external_contact", "zhangsan", &[CODE]);
    let first = house.make(&first);
    let second = house.change("add_external_contact", "zhangsan", &[("WelcomeCode", "CODE2")]);
    let second = house.make(&second);
    house.ends_as(&first[0], Outcome::Expired, "deadline");
    assert_eq!(house.asks(&second[0], 1), None);
    house.starts(&second[0]);
    // In flight again: a third waits in its turn, and stands back when this one arrives.
    let third = house.change("add_external_contact", "zhangsan", &[("WelcomeCode", "CODE3")]);
    let third = house.make(&third);
    house.ends_as(&second[0], Outcome::Delivered, "ok");
    assert!(house.asks(&third[0], 1).is_some());
}

#[test]
fn a_matching_rule_with_a_reply_is_the_welcome_and_its_tags_are_united_with_the_channels() {
    let rules = "[[rule]]\nname = \"vip\"\non = \"contact_added\"\nreply = [\"two\"]\ntags = { add = [\"A/B\"] }\n";
    let mut house = House::new(CHANNELS, rules);
    let decision = house.change("add_external_contact", "zhangsan", &[CODE, ("State", "sh-poster")]);
    assert_eq!(words(&decision), ["welcome:two", "mark_tags", "read_contact"]);
    assert_eq!(tagged(&decision)["zhangsan"], ["A/B", "Source/Poster"]);
    assert_eq!(decision.rule.as_deref(), Some("vip"));
    // The rule on contact_added also decides the welcome of a half addition, but its tags wait.
    let mut house = House::new(CHANNELS, rules);
    let half = house.change("add_half_external_contact", "zhangsan", &[CODE, ("State", "sh-poster")]);
    assert_eq!(words(&half), ["welcome:two"]);
}

#[test]
fn a_matching_rule_without_a_reply_leaves_the_welcome_to_the_channel() {
    let rules = "[[rule]]\nname = \"tag\"\non = \"contact_added\"\ntags = { add = [\"A/B\"] }\n";
    let mut house = House::new(CHANNELS, rules);
    let decision = house.change("add_external_contact", "zhangsan", &[CODE, ("State", "sh-poster")]);
    assert_eq!(words(&decision)[0], "welcome:hello");
    assert_eq!(tagged(&decision)["zhangsan"], ["A/B", "Source/Poster"]);
}

#[test]
fn a_welcome_that_failed_is_said_again_although_its_rule_cools_down() {
    let rules = "[[rule]]\nname = \"vip\"\non = \"contact_added\"\nreply = [\"two\"]\ncooldown = \"24h\"\n";
    let mut house = House::new(CHANNELS, rules);
    let first = house.change("add_half_external_contact", "zhangsan", &[CODE]);
    let made = house.make(&first);
    house.ends_as(&made[0], Outcome::Expired, "deadline");
    let second = house.change("add_external_contact", "zhangsan", &[("WelcomeCode", "CODE2")]);
    assert_eq!(words(&second)[0], "welcome:two");
    house.later(secs(3600));
    let third = house.change("add_external_contact", "zhangsan", &[("WelcomeCode", "CODE3")]);
    assert_eq!(undone(&third), ["welcome:cooldown"]);
}

#[test]
fn a_contact_without_a_channel_is_told_why_there_is_no_welcome() {
    let mut house = House::new("", "");
    let decision = house.change("add_external_contact", "zhangsan", &[CODE]);
    assert_eq!(undone(&decision), ["welcome:no_channel"]);
}

#[test]
fn the_star_is_the_last_resort_also_for_who_came_without_a_state() {
    let channels = "[[channel]]\nstate = \"*\"\nname = \"All\"\nwelcome = [{ template = \"two\", weight = 1 }]\n";
    for more in [vec![CODE], vec![CODE, ("State", "unheard-of")]] {
        let mut house = House::new(channels, "");
        let decision = house.change("add_external_contact", "zhangsan", &more);
        assert_eq!(words(&decision)[0], "welcome:two", "{more:?}");
    }
}

#[test]
fn one_contact_always_gets_the_same_of_two_weighted_welcomes() {
    let channels = "[[channel]]\nstate = \"*\"\nname = \"All\"\nwelcome = [{ template = \"two\", weight = 50 }, \
                    { template = \"help\", weight = 50 }]\n";
    let said: std::collections::BTreeSet<_> = (0..20)
        .map(|_| words(&House::new(channels, "").change("add_external_contact", "zhangsan", &[CODE])).remove(0))
        .collect();
    assert_eq!(said.len(), 1);
}

#[test]
fn a_welcome_is_with_the_live_bundle_and_the_events_own_code() {
    let mut house = House::new(CHANNELS, "");
    let decision = house.change("add_external_contact", "zhangsan", &[CODE]);
    let Action::Welcome {
        code, say, member: who, ..
    } = &decision.jobs[0].action
    else {
        panic!("{:?}", decision.jobs)
    };
    assert_eq!((code.0.as_str(), who.as_str()), ("CODE1", "zhangsan"));
    assert_eq!(say.bundle, house.bundle.hash);
    assert!(
        !format!("{decision:?}").contains("CODE1"),
        "codes do not print themselves"
    );
}
