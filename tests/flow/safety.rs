//! `[corp.safety]`: looking on without touching, and touching only some.

use serde_json::json;

use crate::script::{CHEN, LI, Script, WANG, ZHOU, command};
use crate::stage::{Killed, kf_write};

fn script() -> Script {
    Script::coffee()
        .kf("poll = \"1h\"")
        .picture("p.png")
        .template(
            "rich",
            "text = \"看\"\n[[attachments]]\ntype = \"image\"\nfile = \"media/p.png\"",
        )
        .channel("*", "welcome = \"rich\"\ntags = [\"来源/其他\"]")
        .rule(
            "价格",
            "on = \"message\"\nkeywords = { any = [\"价格\"] }\nreply = [\"a\"]",
        )
        .template("coupon", "text = \"券\"")
}

const READS: [&str; 6] = [
    "gettoken",
    "externalcontact/get",
    "user/get",
    "kf/sync_msg",
    "kf/account/list",
    "kf/service_state/get",
];

#[tokio::test]
async fn observing_changes_nothing_at_wecom_and_uses_no_quota() {
    let observing = script().safety("mode = \"observe\"").play().await;
    observing.scan(WANG, "x").await;
    observing.writes(CHEN, "价格").await;
    observing.writes(ZHOU, "天气").await;
    observing.member_writes("价格").await;
    let to = observing.dir().join("a.txt");
    std::fs::write(&to, CHEN).unwrap();
    let to = to.display().to_string();
    let send = [
        "broadcast",
        "send",
        "--template",
        "coupon",
        "--to",
        &to,
        "--yes",
        "--json",
    ];
    let sent = observing.cli(&send).await;
    assert_eq!(sent.code, Some(1), "{sent:?}");
    assert_eq!(
        sent.json()["failed"],
        json!([{"external_userid": CHEN, "reason": "observe"}])
    );
    observing.settle().await;
    for kind in [
        "welcome",
        "mark_tags",
        "kf_message",
        "kf_pool",
        "app_message",
        "broadcast_chunk",
    ] {
        assert_eq!(observing.outcomes(kind).await, ["cancelled: observe"], "{kind}");
    }
    assert!(observing.wecom.messages().is_empty());
    let calls = observing.wecom.calls();
    let touched: Vec<_> = calls.iter().filter(|c| !READS.contains(&c.path.as_str())).collect();
    assert!(touched.is_empty(), "{touched:#?}");
    assert!(calls.iter().any(|c| c.path == "kf/sync_msg"), "the pull runs");
    observing.end().await;
}

#[tokio::test]
async fn only_those_named_are_touched() {
    let play = script()
        .safety(&format!("only = [\"{WANG}\", \"{CHEN}\"]"))
        .play()
        .await;
    play.scan(WANG, "x").await;
    play.scan(LI, "x").await;
    play.act(kf_write(CHEN, "价格")).await;
    play.act(kf_write(ZHOU, "价格")).await;
    play.member_writes("价格").await;
    let mut welcomes = play.outcomes("welcome").await;
    welcomes.sort_unstable();
    assert_eq!(welcomes, ["cancelled: not_in_only", "delivered: ok"]);
    assert!(!play.seen(WANG).is_empty() && play.seen(LI).is_empty());
    assert!(play.wecom.tags_of("zhangsan", LI).is_empty());
    assert_eq!(play.seen(CHEN), ["甲"]);
    assert!(play.seen(ZHOU).is_empty());
    assert!(play.seen("zhangsan").is_empty());
    let to = play.dir().join("a.txt");
    std::fs::write(&to, format!("{CHEN}\n{ZHOU}\n")).unwrap();
    let to = to.display().to_string();
    let sent = play
        .cli(&[
            "broadcast",
            "send",
            "--template",
            "coupon",
            "--to",
            &to,
            "--yes",
            "--json",
        ])
        .await;
    assert_eq!(sent.json()["delivered"], 1);
    assert_eq!(
        sent.json()["failed"],
        json!([{"external_userid": ZHOU, "reason": "not_in_only"}])
    );
    assert_eq!(sent.code, Some(1));
    play.end().await;
}

#[tokio::test]
async fn quiet_hours_hold_broadcasts_and_nothing_else() {
    // From an hour ago to an hour from now, in China.
    let now = wecom_gateway::clock::wall().shanghai_minute();
    let hm = |m: u16| format!("{:02}:{:02}", m % 1440 / 60, m % 60);
    let quiet = format!("quiet_hours = \"{}-{}\"", hm(now + 1440 - 60), hm(now + 60));
    let play = script().safety(&quiet).play().await;
    let to = play.dir().join("a.txt");
    std::fs::write(&to, CHEN).unwrap();
    let to = to.display().to_string();
    let arguments = ["broadcast", "send", "--template", "coupon", "--to", &to, "--yes"];
    let _waiting = Killed(command(play.dir(), &arguments).spawn().unwrap());
    play.until("the broadcast waits", || {
        play.metric("wecom_queue_jobs", &[("lane", "bulk")]) == 1.0
    })
    .await;
    play.scan(WANG, "x").await;
    play.writes(CHEN, "价格").await;
    play.sees(WANG, 2).await;
    play.sees(CHEN, 1).await;
    assert_eq!(play.calls("externalcontact/add_msg_template"), 0);
    play.leave();
}
