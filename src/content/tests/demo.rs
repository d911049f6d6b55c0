//! The content that ships with the program.

use std::collections::BTreeMap;

use super::super::{Bundle, Candidate, Place, Source, Trigger};
use super::{at, corp, said};
use crate::model::job::Part;

#[test]
fn the_demo_content_has_no_fault_and_no_warning() {
    let (_, warnings) = Bundle::demo(&corp()).map_err(|f| said(&f)).unwrap();
    assert_eq!(said(&warnings), "");
}

#[test]
fn the_demo_content_is_what_the_repository_shows() {
    let mut here = corp();
    here.content.dir = concat!(env!("CARGO_MANIFEST_DIR"), "/config").into();
    here.content.templates = concat!(env!("CARGO_MANIFEST_DIR"), "/templates").into();
    let (loaded, warnings) = Bundle::load(&here).map_err(|f| said(&f)).unwrap();
    assert_eq!(said(&warnings), "");
    assert_eq!(loaded.hash, Bundle::demo(&corp()).unwrap().0.hash);
}

#[test]
fn a_demo_contact_is_welcomed_by_channel_and_answered_by_keyword() {
    let (bundle, _) = Bundle::demo(&corp()).unwrap();
    let poster = bundle.channel(Some("sh-poster")).unwrap();
    assert_eq!(poster.channel.welcome("wo1", "zhangsan", at(23, 0)), Some("night"));
    let by_day = poster.channel.welcome("wo1", "zhangsan", at(12, 0)).unwrap();
    assert!(by_day.starts_with("welcome-"));
    let values = BTreeMap::from([
        ("contact.name".to_owned(), "王芳".to_owned()),
        ("member.userid".to_owned(), "zhangsan".to_owned()),
    ]);
    let said = bundle
        .render("welcome-a", Part::Whole, Place::Welcome, &values, at(9, 0))
        .unwrap();
    assert!(said.text.unwrap().starts_with("早上好，王芳！我是某某咖啡的小张☕\n"));
    let price = Candidate {
        on: Trigger::Message,
        source: Some(Source::Kf),
        app: "main",
        kf: None,
        member: None,
        text: Some("拿铁 多少 钱？"),
        at: at(9, 0),
    };
    let winner = &bundle.matching(&price).matching[0];
    assert_eq!((winner.0.name.as_str(), winner.1.as_deref()), ("价格", Some("多少钱")));
    assert_eq!(bundle.parts("price-list", Place::Kf), [Part::Text, Part::Attachment(0)]);
}
