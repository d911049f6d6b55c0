//! Which rule wins, and what counts as the same text.

use std::time::Duration;

use super::super::fold::{fold, fold_pattern, fold_width};
use super::super::{Bundle, Candidate, Known, Source, Trigger};
use super::{at, good};
use crate::model::StoreTime;
use crate::model::job::TagName;

const A: (&str, &str) = ("templates/a.toml", "text = \"a\"");

fn bundle(rules: &str) -> Bundle {
    good(&[A, ("rules/r.toml", rules)])
}

fn rule(name: &str, more: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\non = \"message\"\nreply = \"a\"\n{more}\n")
}

fn kf(text: &str) -> Candidate<'_> {
    Candidate {
        on: Trigger::Message,
        source: Some(Source::Kf),
        app: "main",
        kf: Some("sales"),
        member: None,
        text: Some(text),
        at: at(12, 0),
    }
}

fn names(bundle: &Bundle, event: &Candidate<'_>) -> Vec<String> {
    bundle
        .matching(event)
        .matching
        .iter()
        .map(|(r, _)| r.name.clone())
        .collect()
}

fn keyword(bundle: &Bundle, text: &str) -> Option<String> {
    bundle.matching(&kf(text)).matching.first().and_then(|(_, k)| k.clone())
}

#[test]
fn the_winner_is_by_priority_then_by_kind_of_match_then_by_place() {
    let rules = [
        rule("fallback", "fallback = true"),
        rule("any", "keywords = { any = [\"价格\"] }"),
        rule("regex", "keywords = { regex = ['价.'] }"),
        rule("prefix", "keywords = { prefix = [\"价\"] }"),
        rule("all", "keywords = { all = [\"价\", \"格\"] }"),
        rule("exact", "keywords = { exact = [\"价格\"] }"),
        rule("first of all", "keywords = { any = [\"格\"] }\npriority = 1"),
        rule("last of all", "keywords = { exact = [\"价格\"] }\npriority = -1"),
    ]
    .concat();
    let expected = [
        "first of all",
        "exact",
        "all",
        "prefix",
        "any",
        "regex",
        "fallback",
        "last of all",
    ];
    assert_eq!(names(&bundle(&rules), &kf("价格")), expected);
}

#[test]
fn of_equals_the_first_file_wins_whatever_the_order_of_reading() {
    let (x, y) = (
        rule("x", "keywords = { any = [\"价格\"] }"),
        rule("y", "keywords = { any = [\"价格\", \"价\"] }"),
    );
    let bundle = good(&[A, ("rules/b.toml", &x), ("rules/a.toml", &y)]);
    assert_eq!(names(&bundle, &kf("价格")), ["y", "x"]);
}

#[test]
fn groups_of_keywords_are_anded() {
    let rules = rule(
        "r",
        "keywords = { any = [\"价格\", \"多少钱\"], all = [\"拿铁\"], none = [\"退款\"], prefix = [\"请问\"] }",
    );
    let bundle = bundle(&rules);
    assert_eq!(names(&bundle, &kf("请问拿铁多少钱")), ["r"]);
    for text in ["请问拿铁", "请问多少钱", "拿铁多少钱", "请问拿铁多少钱，退款吗", ""] {
        assert_eq!(names(&bundle, &kf(text)), [""; 0], "{text}");
    }
}

#[test]
fn exact_is_the_whole_text_and_prefix_its_beginning() {
    let rules = rule("exact", "keywords = { exact = [\"1\"] }") + &rule("prefix", "keywords = { prefix = [\"订单\"] }");
    let bundle = bundle(&rules);
    assert_eq!(names(&bundle, &kf(" １ ")), ["exact"]);
    assert_eq!(names(&bundle, &kf("11")), [""; 0]);
    assert_eq!(names(&bundle, &kf("订单 123")), ["prefix"]);
    assert_eq!(names(&bundle, &kf("我的订单")), [""; 0]);
}

#[test]
fn the_keyword_is_said_as_the_operator_wrote_it() {
    let rules =
        rule("r", "keywords = { any = [\"ＶＩＰ 卡\", \"会员\"] }") + &rule("s", "keywords = { regex = ['\\d{6}'] }");
    let bundle = bundle(&rules);
    assert_eq!(keyword(&bundle, "办vip卡").as_deref(), Some("ＶＩＰ 卡"));
    assert_eq!(keyword(&bundle, "单号１２３４５６").as_deref(), Some("123456"));
    assert_eq!(keyword(&bundle, "你好"), None);
}

#[test]
fn folding_makes_the_same_what_people_see_as_the_same() {
    for (text, folded) in [
        ("ＷｉＦｉ　密码？", "wifi密码?"),
        ("多 少\n钱", "多少钱"),
        ("How  Much\tis it", "how much is it"),
        ("VIP 卡 2 张", "vip卡2张"),
        ("价\u{200B}格\u{FEFF}", "价格"),
        ("ÀÉ Straße", "àé straße"),
        ("  ", ""),
    ] {
        assert_eq!(fold(text), folded);
        assert_eq!(fold(&fold(text)), folded, "folding twice changes nothing");
    }
}

#[test]
fn patterns_see_half_width_and_any_case() {
    assert_eq!(fold_width(" Ａ　 b（c） "), "A b(c)");
    assert_eq!(fold_pattern(r"（价|［０-９］\（"), r"\(价|\[0-9\]\(");
    let bundle = bundle(&rule("r", r"keywords = { regex = ['^[A-Z]{2}\d+（急）$'] }"));
    assert_eq!(names(&bundle, &kf("ab12(急)")), ["r"]);
    assert_eq!(names(&bundle, &kf("ＡＢ１２（急）")), ["r"]);
}

#[test]
fn a_message_without_text_meets_fallbacks_only() {
    let rules = rule("f", "fallback = true") + &rule("k", "keywords = { regex = ['.*'] }");
    let bundle = bundle(&rules);
    assert_eq!(names(&bundle, &Candidate { text: None, ..kf("") }), ["f"]);
}

#[test]
fn a_rule_hears_its_source_app_and_account_only() {
    let rules = rule("kf", "fallback = true\nsource = [\"kf\"]\nkf = [\"sales\"]")
        + &rule("agent", "fallback = true\nsource = [\"agent\"]\napps = [\"main\"]")
        + &rule("all", "fallback = true");
    let bundle = bundle(&rules);
    assert_eq!(names(&bundle, &kf("a")), ["kf", "all"]);
    assert_eq!(names(&bundle, &Candidate { kf: None, ..kf("a") }), ["all"]);
    let agent = Candidate {
        source: Some(Source::Agent),
        kf: None,
        member: Some("li"),
        ..kf("a")
    };
    assert_eq!(names(&bundle, &agent), ["agent", "all"]);
    assert_eq!(names(&bundle, &Candidate { app: "other", ..agent }), ["all"]);
    assert_eq!(names(&bundle, &Candidate { source: None, ..agent }), [""; 0]);
}

#[test]
fn hours_go_over_midnight_and_belong_to_the_day_they_began() {
    let bundle = bundle(&rule(
        "r",
        "fallback = true\nwhen = { hours = \"22:00-08:00\", weekdays = [\"sun\"] }",
    ));
    let event = |at: StoreTime| Candidate { at, ..kf("a") };
    let day = Duration::from_secs(86_400);
    assert_eq!(names(&bundle, &event(at(21, 59))).len(), 0);
    assert_eq!(names(&bundle, &event(at(22, 0))).len(), 1);
    assert_eq!(
        names(&bundle, &event(at(7, 59).plus(day))).len(),
        1,
        "the night that began on Sunday"
    );
    assert_eq!(names(&bundle, &event(at(8, 0).plus(day))).len(), 0);
    assert_eq!(
        names(&bundle, &event(at(7, 59))).len(),
        0,
        "the night that began on Saturday"
    );
}

#[test]
fn what_is_not_known_matches_no_condition() {
    let rules = "[[rule]]\nname = \"s\"\non = \"enter_session\"\nreply = \"a\"\nwhen = { scene = [\"menu\"], tags = [\"A/B\"] }\n\
                 [[rule]]\nname = \"m\"\non = \"contact_added\"\nreply = \"a\"\nwhen = { members = [\"li\"] }\n";
    let bundle = bundle(rules);
    let enter = Candidate {
        on: Trigger::EnterSession,
        text: None,
        ..kf("")
    };
    assert_eq!(names(&bundle, &enter), [""; 0]);
    let tags = [TagName {
        group: "A".into(),
        tag: "B".into(),
    }];
    let known = Known {
        scene: Some("menu"),
        scene_param: None,
        tags: &tags,
    };
    assert_eq!(bundle.matching_with(&enter, &known).matching.len(), 1);
    let added = Candidate {
        on: Trigger::ContactAdded,
        source: None,
        text: None,
        ..kf("")
    };
    assert_eq!(names(&bundle, &added), [""; 0]);
    assert_eq!(
        names(
            &bundle,
            &Candidate {
                member: Some("li"),
                ..added
            }
        ),
        ["m"]
    );
}

#[test]
fn cooldowns_are_those_of_the_contract_where_none_is_given() {
    let rules = rule("f", "fallback = true")
        + &rule("k", "keywords = { any = [\"ab\"] }")
        + &rule("g", "fallback = true\ncooldown = \"30s\"")
        + &rule("0", "fallback = true\ncooldown = \"0s\"")
        + "[[rule]]\nname = \"e\"\non = \"app_entered\"\nreply = \"a\"\n";
    let bundle = bundle(&rules);
    let cooldown = |name: &str| {
        bundle
            .rules
            .iter()
            .find(|r| r.name == name)
            .unwrap()
            .cooldown
            .map(|d| d.as_secs())
    };
    assert_eq!(
        ["f", "k", "g", "0", "e"].map(cooldown),
        [Some(3600), None, Some(30), None, Some(86_400)]
    );
}

#[test]
fn many_rules_are_found_as_surely_as_one() {
    let syllables = ["价", "格", "门", "店", "券", "卡", "退", "货", "a1", "b2"];
    let mut rules = String::new();
    for n in 0..2_000 {
        let word: String = [n % 10, n / 10 % 10, n / 100 % 10, n / 1000]
            .map(|i| syllables[i])
            .concat();
        rules += &rule(&format!("r{n}"), &format!("keywords = {{ any = [\"{word}\"] }}"));
    }
    let bundle = bundle(&rules);
    for n in [0usize, 7, 999, 1234, 1999] {
        let word: String = [n % 10, n / 10 % 10, n / 100 % 10, n / 1000]
            .map(|i| syllables[i])
            .concat();
        let text = format!("你好{word}？");
        assert!(names(&bundle, &kf(&text)).contains(&format!("r{n}")), "{text}");
    }
}
