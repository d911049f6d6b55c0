//! Where a relation stands; counters rise per transition, never per event.

use super::*;
use crate::model::doc::Stage;

const CHANNELS: &str = "[[channel]]\nstate = \"sh-*\"\nname = \"Shanghai\"\n";
const STATE: (&str, &str) = ("State", "sh-1");

fn counted(decision: &Decision) -> Vec<&str> {
    decision.counters.iter().map(|(name, _)| name.as_str()).collect()
}

fn stage(house: &House) -> Stage {
    house.doc.contact.as_ref().unwrap().relations[&member("zhangsan")].stage
}

#[test]
fn counters_rise_per_transition_and_never_per_event() {
    let mut house = House::new(CHANNELS, "");
    let by_transfer = ("Source", "DELETE_BY_TRANSFER");
    for (kind, more, counters, after) in [
        (
            "add_half_external_contact",
            vec![STATE],
            vec!["channel:sh-*:half"],
            Stage::Half,
        ),
        ("add_half_external_contact", vec![STATE], vec![], Stage::Half),
        ("add_external_contact", vec![], vec!["channel:sh-*:added"], Stage::Full),
        ("add_external_contact", vec![STATE], vec![], Stage::Full),
        ("add_half_external_contact", vec![STATE], vec![], Stage::Full),
        ("edit_external_contact", vec![], vec![], Stage::Full),
        (
            "transfer_fail",
            vec![("FailReason", "customer_refused")],
            vec![],
            Stage::Full,
        ),
        ("del_follow_user", vec![], vec!["channel:sh-*:lost"], Stage::Lost),
        ("del_follow_user", vec![], vec![], Stage::Lost),
        (
            "del_external_contact",
            vec![],
            vec!["channel:sh-*:removed"],
            Stage::Removed,
        ),
        ("del_follow_user", vec![], vec![], Stage::Removed),
        ("add_external_contact", vec![], vec!["channel:-:added"], Stage::Full),
        (
            "del_external_contact",
            vec![by_transfer],
            vec!["channel:-:transferred"],
            Stage::Removed,
        ),
    ] {
        let decision = house.change(kind, "zhangsan", &more);
        assert_eq!(counted(&decision), counters, "{kind}");
        assert_eq!(stage(&house), after, "{kind}");
    }
}

#[test]
fn a_half_addition_that_comes_after_the_full_one_changes_nothing() {
    let mut house = House::new(CHANNELS, "");
    house.change("add_external_contact", "zhangsan", &[STATE]);
    let before = house.doc.clone();
    let late = house.change("add_half_external_contact", "zhangsan", &[STATE]);
    assert_eq!(late.doc, None);
    assert_eq!(house.doc, before);
}

#[test]
fn a_relation_that_begins_anew_does_not_inherit_the_channel_of_the_one_before() {
    let mut house = House::new(CHANNELS, "");
    house.change("add_external_contact", "zhangsan", &[STATE]);
    house.change("del_follow_user", "zhangsan", &[]);
    house.change("add_external_contact", "zhangsan", &[]);
    let relation = &house.doc.contact.as_ref().unwrap().relations[&member("zhangsan")];
    assert_eq!(relation.state, None);
}

#[test]
fn an_edited_or_added_contact_is_read_again() {
    let mut house = House::new("", "");
    for kind in ["edit_external_contact", "add_external_contact"] {
        assert_eq!(words(&house.change(kind, "zhangsan", &[])), ["read_contact"], "{kind}");
    }
    for kind in ["add_half_external_contact", "del_follow_user", "del_external_contact"] {
        assert!(words(&house.change(kind, "zhangsan", &[])).is_empty(), "{kind}");
    }
}

#[test]
fn a_contact_is_new_until_somebody_has_added_it() {
    let channels = "[[channel]]\nstate = \"*\"\nname = \"All\"\nwelcome = [{ template = \"hello\", weight = 1 }]\n";
    let mut house = House::new(channels, "");
    for (kind, who, is_new) in [
        ("add_half_external_contact", "zhangsan", "true"),
        ("add_external_contact", "zhangsan", "true"),
        ("add_external_contact", "lisi", "false"),
    ] {
        let decision = house.change(kind, who, &[("WelcomeCode", "C")]);
        let say = decision.jobs[0].action.say().unwrap();
        assert_eq!(say.vars["contact.is_new"], is_new, "{kind} {who}");
    }
}

#[test]
fn an_entry_in_somebody_elses_conversation_is_undecidable() {
    let mut house = House::new("", "");
    let mut body = house.change_body("add_external_contact", "zhangsan", &[]);
    body.conversation = Conversation::Contact(corp_id(), ExternalUserId::parse("wm2").unwrap());
    assert_eq!(house.try_decide(body).unwrap_err().reason, "wrong_conversation");
}
