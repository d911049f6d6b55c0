//! CONTENT, "Tags" and "Half-added".

use super::*;

const CHANNELS: &str = "[[channel]]\nstate = \"*\"\nname = \"All\"\ntags = [\"Source/Poster\"]\n";
const RULES: &str = r#"
[[rule]]
name = "price"
on = "message"
source = ["kf"]
keywords = { any = ["价格"] }
reply = ["price"]
tags = { add = ["Intent/Price"] }
[[rule]]
name = "lost"
on = "contact_lost"
tags = { add = ["State/Lost"] }
"#;

#[test]
fn tags_wait_for_the_full_addition() {
    let mut house = House::new(CHANNELS, "");
    let half = house.change("add_half_external_contact", "zhangsan", &[]);
    assert!(tagged(&half).is_empty());
    let full = house.change("add_external_contact", "zhangsan", &[]);
    assert_eq!(tagged(&full)["zhangsan"], ["Source/Poster"]);
}

#[test]
fn on_a_contact_event_the_tags_are_that_members() {
    let mut house = House::new(CHANNELS, "");
    house.change("add_external_contact", "lisi", &[]);
    let full = house.change("add_external_contact", "zhangsan", &[]);
    assert_eq!(tagged(&full).keys().collect::<Vec<_>>(), ["zhangsan"]);
}

#[test]
fn on_a_kf_message_the_tags_are_set_on_every_known_relation() {
    let mut house = House::new("", RULES);
    house.change("add_external_contact", "zhangsan", &[]);
    house.change("add_external_contact", "lisi", &[]);
    house.change("del_follow_user", "lisi", &[]);
    house.change("add_half_external_contact", "wangwu", &[]);
    house.change("add_external_contact", "zhaoliu", &[]);
    house.change("del_external_contact", "zhaoliu", &[]);
    let said = house.kf_text("价格");
    let tags = tagged(&said);
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["lisi", "zhangsan"]);
    assert_eq!(tags["zhangsan"], ["Intent/Price"]);
    // The half-added member's wait until the relation is complete.
    let full = house.change("add_external_contact", "wangwu", &[]);
    assert_eq!(tagged(&full)["wangwu"], ["Intent/Price"]);
    let again = house.change("add_external_contact", "wangwu", &[]);
    assert!(tagged(&again).is_empty());
}

#[test]
fn without_a_relation_tags_are_kept_as_a_label_and_applied_when_the_contact_is_added() {
    let mut house = House::new(CHANNELS, RULES);
    let said = house.kf_text("价格");
    assert!(tagged(&said).is_empty());
    let labels = &house.doc.contact.as_ref().unwrap().labels;
    assert_eq!(labels.iter().collect::<Vec<_>>(), [&tag("Intent", "Price")]);
    let full = house.change("add_external_contact", "zhangsan", &[]);
    assert_eq!(tagged(&full)["zhangsan"], ["Intent/Price", "Source/Poster"]);
    assert!(house.doc.contact.as_ref().unwrap().labels.is_empty());
}

#[test]
fn a_contact_that_is_lost_can_still_be_tagged() {
    let mut house = House::new("", RULES);
    house.change("add_external_contact", "zhangsan", &[]);
    let lost = house.change("del_follow_user", "zhangsan", &[]);
    assert_eq!(tagged(&lost)["zhangsan"], ["State/Lost"]);
    assert_eq!(lost.rule.as_deref(), Some("lost"));
}

#[test]
fn tags_that_were_set_are_remembered_as_seen() {
    let mut house = House::new(CHANNELS, "");
    let full = house.change("add_external_contact", "zhangsan", &[]);
    let made = house.make(&full);
    house.ends_as(&made[0], Outcome::Delivered, "ok");
    let relation = &house.doc.contact.as_ref().unwrap().relations[&member("zhangsan")];
    assert!(relation.tags.contains(&tag("Source", "Poster")));
}
