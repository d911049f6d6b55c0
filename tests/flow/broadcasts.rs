//! `broadcast send`, through the real binary, beside a gateway that runs.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use wecom_gateway::sandbox::{Fault, Lost};

use crate::script::{CHEN, LI, Script, WANG, ZHOU, kf_free};
use crate::stage::{Cli, Killed, Play, run};

const ADD: &str = "externalcontact/add_msg_template";

fn script() -> Script {
    kf_free(Script::coffee()).template("coupon", "text = \"{{ corp.name }}的券\"")
}

fn list(play: &Play, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = play.dir().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// `broadcast send --template coupon --to list --json --yes` and more.
async fn send(play: &Play, list: &PathBuf, more: &[&str]) -> Cli {
    let list = list.display().to_string();
    let mut arguments = vec![
        "broadcast",
        "send",
        "--template",
        "coupon",
        "--to",
        &list,
        "--json",
        "--yes",
    ];
    arguments.extend(more);
    play.cli(&arguments).await
}

#[tokio::test]
async fn a_list_is_sent_once_and_its_second_run_is_refused_by_quota_with_the_time() {
    let play = script().play().await;
    let to = list(&play, "a.txt", format!("{CHEN}\n{ZHOU}\n{CHEN}\n"));
    let first = send(&play, &to, &["--id", "one"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let clean = json!({"id": "one", "delivered": 2, "refused": [], "uncertain": [], "failed": []});
    assert_eq!(first.json(), clean);
    assert_eq!(play.calls(ADD), 1);
    let mut named: Vec<String> =
        serde_json::from_value(play.wecom.calls_of(ADD)[0].body["external_userid"].clone()).unwrap();
    named.sort_unstable();
    assert_eq!(named, [CHEN, ZHOU], "each once");
    assert_eq!(play.wecom.calls_of(ADD)[0].body["text"]["content"], "某某咖啡的券");

    let again = send(&play, &to, &["--id", "one"]).await;
    assert_eq!(
        (again.code, again.json()),
        (Some(0), clean),
        "the same id resumes and never repeats"
    );
    assert_eq!(play.calls(ADD), 1);

    let other = send(&play, &to, &["--id", "two"]).await;
    assert_eq!(other.code, Some(0), "refused by quota is no failure: {other:?}");
    let report = other.json();
    assert_eq!(report["delivered"], 0);
    let refused = report["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 2);
    for one in refused {
        assert_eq!(one.as_object().unwrap().len(), 3);
        assert_eq!(one["reason"], "quota_day");
        assert!(
            one["until"].as_str().unwrap().ends_with("T16:00:00Z"),
            "midnight in China: {one}"
        );
    }
    assert_eq!(play.calls(ADD), 1);
    play.end().await;
}

#[tokio::test]
async fn the_same_id_with_another_list_or_template_is_a_usage_error() {
    let play = script().template("other", "text = \"别的\"").play().await;
    let to = list(&play, "a.txt", CHEN);
    assert_eq!(send(&play, &to, &["--id", "one"]).await.code, Some(0));
    let other = list(&play, "b.txt", ZHOU);
    let refused = send(&play, &other, &["--id", "one"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("one"), "{refused:?}");
    let path = to.display().to_string();
    let template = [
        "broadcast",
        "send",
        "--template",
        "other",
        "--to",
        &path,
        "--id",
        "one",
        "--yes",
    ];
    assert_eq!(play.cli(&template).await.code, Some(2));
    assert_eq!(play.calls(ADD), 1);
    play.end().await;
}

#[tokio::test]
async fn lists_are_read_as_people_have_them() {
    let play = script().corp("broadcast = { rule = \"month_days\" }").play().await;
    let (gbk, _, _) = encoding_rs::GBK.encode("备注,external_userid\r\n老客户,wmLaoChen\r\n老客户,wmLaoZhou\r\n");
    for (name, bytes) in [
        ("bom.txt", "\u{feff}wmLaoChen\r\nwmLaoZhou\r\n".as_bytes()),
        ("gbk.csv", &gbk),
        (
            "utf8.csv",
            "external_userid,备注\nwmLaoZhou,周\nwmLaoChen,陈\n".as_bytes(),
        ),
    ] {
        let to = list(&play, name, bytes);
        let sent = send(&play, &to, &[]).await;
        assert_eq!(sent.code, Some(0), "{name}: {sent:?}");
        assert_eq!(sent.json()["delivered"], 2, "{name}");
    }
    let csv = list(
        &play,
        "who.csv",
        "external_userid,userid\nwmLaoChen,lisi\nwmLaoZhou,zhangsan\n",
    );
    let sent = send(&play, &csv, &[]).await;
    assert_eq!(sent.json()["delivered"], 2);
    let senders: Vec<_> = play
        .wecom
        .calls_of(ADD)
        .iter()
        .skip(3)
        .map(|c| c.body["sender"].clone())
        .collect();
    assert_eq!(senders.len(), 2);
    assert!(senders.contains(&json!("lisi")) && senders.contains(&json!("zhangsan")));
    for (name, bytes) in [
        ("empty.txt", b"\n\n".as_slice()),
        ("bad.txt", b"wm Lao\n"),
        ("none.csv", b"external_userid\n"),
    ] {
        let to = list(&play, name, bytes);
        assert_eq!(send(&play, &to, &[]).await.code, Some(2), "{name}");
    }
    play.end().await;
}

#[tokio::test]
async fn people_are_told_of_duplicates_and_asked_before_anything_is_sent() {
    let play = script().play().await;
    let to = list(&play, "a.txt", format!("{CHEN}\n{CHEN}\n")).display().to_string();
    let arguments = ["broadcast", "send", "--template", "coupon", "--to", &to, "--id", "one"];
    let unasked = play.cli(&arguments).await;
    assert_eq!(unasked.code, Some(2), "no terminal and no --yes: {unasked:?}");
    assert_eq!(play.calls(ADD), 0);
    let told = play.cli(&[&arguments[..], &["--yes"]].concat()).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.out.contains("broadcast one"), "prints its id first: {}", told.out);
    assert!(told.out.contains("line 2: wmLaoChen"), "{}", told.out);
    play.end().await;
}

#[tokio::test]
async fn whom_wecom_did_not_take_gets_their_quota_back() {
    let play = script().play().await;
    // wang and li know nobody yet: WeCom puts them into fail_list.
    let to = list(&play, "a.txt", format!("{CHEN}\n{WANG}\n"));
    let first = send(&play, &to, &[]).await;
    assert_eq!(first.code, Some(1), "{first:?}");
    assert_eq!(first.json()["delivered"], 1);
    assert_eq!(
        first.json()["failed"],
        json!([{"external_userid": WANG, "reason": "wecom_fail_list"}])
    );
    play.scan(WANG, "x").await;
    let again = send(&play, &list(&play, "b.txt", WANG), &[]).await;
    assert_eq!((again.code, &again.json()["delivered"]), (Some(0), &json!(1)));
    let nobody = send(&play, &list(&play, "c.txt", LI), &[]).await;
    assert_eq!(nobody.code, Some(1), "WeCom refuses the whole call: {nobody:?}");
    assert_eq!(nobody.json()["failed"][0]["external_userid"], LI);
    play.scan(LI, "x").await;
    let again = send(&play, &list(&play, "c.txt", LI), &[]).await;
    assert_eq!(
        (again.code, &again.json()["delivered"]),
        (Some(0), &json!(1)),
        "refunded too"
    );
    play.end().await;
}

#[tokio::test]
async fn a_lost_answer_is_uncertain_and_never_repeated() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(ADD).lost(Lost::After));
    let to = list(&play, "a.txt", format!("{CHEN}\n{ZHOU}\n"));
    let lost = send(&play, &to, &["--id", "one"]).await;
    assert_eq!(lost.code, Some(1), "{lost:?}");
    let report = lost.json();
    assert_eq!(report["delivered"], 0);
    assert_eq!(report["uncertain"].as_array().unwrap().len(), 2);
    assert_eq!(play.wecom.broadcasts().len(), 1, "it had arrived");
    let again = send(&play, &to, &["--id", "one"]).await;
    assert_eq!((again.code, again.json()), (Some(1), report));
    assert_eq!(play.calls(ADD), 1);
    let other = send(&play, &to, &["--id", "two"]).await;
    assert_eq!(
        other.json()["refused"].as_array().unwrap().len(),
        2,
        "the quota stays used"
    );
    play.end().await;
}

#[tokio::test]
async fn a_refusal_that_passes_is_waited_for_and_a_token_error_renewed() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(ADD).errcode(-1));
    let to = list(&play, "a.txt", CHEN);
    assert_eq!(send(&play, &to, &[]).await.json()["delivered"], 1);
    play.wecom.expire_tokens();
    let to = list(&play, "b.txt", ZHOU);
    assert_eq!(send(&play, &to, &[]).await.json()["delivered"], 1);
    play.end().await;
}

#[tokio::test]
async fn without_a_gateway_the_command_does_it_itself_and_may_be_killed_in_the_middle() {
    let script = script();
    let wecom = script.setup.clone().start().await.unwrap();
    script.write(&wecom.base_url(), "127.0.0.1:0");
    let path = script.dir.path().join("a.txt");
    std::fs::write(&path, format!("external_userid,userid\n{CHEN},lisi\n{ZHOU},zhangsan\n")).unwrap();
    let path = path.display().to_string();
    let arguments = [
        "broadcast",
        "send",
        "--template",
        "coupon",
        "--to",
        &path,
        "--id",
        "one",
        "--yes",
        "--json",
    ];
    // The first of two calls is answered, the second hangs: there the command is killed.
    wecom.fault(Fault::on(ADD).containing("\"zhangsan\"").delay_ms(60_000));
    let mut killed = Killed(script.command(&arguments).stdout(Stdio::null()).spawn().unwrap());
    let both = wecom.until(Duration::from_secs(20), |w| {
        let called = w.calls_of(ADD).len();
        called == 1 && w.state()["faults"].as_array().unwrap().is_empty()
    });
    assert!(both.await, "{:?}", wecom.calls());
    killed.now();
    let resumed = run(script.command(&arguments)).await;
    assert_eq!(resumed.code, Some(1), "{resumed:?}");
    let report = resumed.json();
    assert_eq!((&report["id"], &report["delivered"]), (&json!("one"), &json!(1)));
    assert_eq!(
        report["uncertain"],
        json!([ZHOU]),
        "begun, and nobody knows how it ended"
    );
    assert_eq!(
        wecom
            .calls_of(ADD)
            .iter()
            .filter(|c| c.body["sender"] == "lisi")
            .count(),
        1
    );
    let again = run(script.command(&arguments)).await;
    assert_eq!(again.json(), report);
}
