//! `wecom-gateway check --online` through the real binary, against the simulated WeCom.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the stage fails loudly")]

use std::process::{Command, Output};

use serde_json::Value;
use tokio::net::TcpListener;
use wecom_gateway::sandbox::{Fault, Handle, Sandbox};

async fn wecom() -> Handle {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Sandbox::start(Sandbox::coffee(), listener).unwrap()
}

/// Runs the command against `wecom` with these settings of the corp's kf accounts and this secret.
async fn check(wecom: &Handle, secret: &str, kf: &str, lang: &'static str, json: bool) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let content = dir.path().join("content");
    std::fs::create_dir_all(&content).unwrap();
    let settings = dir.path().join("gateway.toml");
    let text = format!(
        "[store]\nurl = \"redis://127.0.0.1:9/0\"\n[content]\ndir = {content:?}\ntemplates = {content:?}\n\
         [[corp]]\nname = \"acme\"\ncorp_id = \"ww0123456789abcdef\"\napi_base = {:?}\n{kf}\
         [[corp.app]]\nname = \"main\"\nkind = [\"contacts\", \"kf\", \"agent\"]\nagent_id = 1000002\n\
         secret = {secret:?}\ntoken = \"mainToken\"\n\
         encoding_aes_key = \"jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C\"\n",
        wecom.base_url()
    );
    std::fs::write(&settings, text).unwrap();
    tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-gateway"));
        command.args(["check", "--online", "--config"]).arg(&settings);
        if json {
            command.arg("--json");
        }
        let out = command.env_clear().env("LANG", lang).output().unwrap();
        drop(dir);
        out
    })
    .await
    .unwrap()
}

fn text(out: &Output) -> String {
    assert!(out.stderr.is_empty(), "the report is on stdout and alone: {out:?}");
    String::from_utf8(out.stdout.clone()).unwrap()
}

/// `(check, level, errcode)` of every finding.
async fn asked(wecom: &Handle, secret: &str, kf: &str) -> (Option<i32>, Vec<(String, String, Option<i64>)>) {
    let out = check(wecom, secret, kf, "C", true).await;
    let report: Value = serde_json::from_str(&text(&out)).unwrap();
    let word = |f: &Value, key: &str| f[key].as_str().unwrap().to_owned();
    let found = report["online"].as_array().unwrap().iter();
    let found = found.map(|f| (word(f, "check"), word(f, "level"), f["errcode"].as_i64()));
    (out.status.code(), found.collect())
}

fn is(check: &str, level: &str, errcode: Option<i64>) -> (String, String, Option<i64>) {
    (check.to_owned(), level.to_owned(), errcode)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wecom_that_allows_everything_ends_with_0_and_changes_nothing() {
    let wecom = wecom().await;
    let (code, found) = asked(&wecom, "main-secret", "").await;
    let good = ["contacts", "kf", "kf_account", "agent", "clock"].map(|c| is(c, "ok", None));
    assert_eq!((code, found), (Some(0), good.to_vec()));
    let paths: Vec<String> = wecom.sandbox().calls().into_iter().map(|c| c.path).collect();
    let reads = [
        "gettoken",
        "get_corp_tag_list",
        "account/list",
        "servicer/list",
        "user/get",
    ];
    let reading = |path: &String| reads.iter().any(|r| path.ends_with(r));
    assert!(!paths.is_empty() && paths.iter().all(reading), "{paths:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_ip_is_named_once_with_its_page_in_both_languages() {
    let wecom = wecom().await;
    let path = "externalcontact/get_corp_tag_list";
    wecom.sandbox().fault(Fault::on(path).errcode(60020).always());
    let (code, found) = asked(&wecom, "main-secret", "").await;
    assert_eq!(code, Some(1));
    assert_eq!(found, [is("trusted_ip", "error", Some(60020)), is("clock", "ok", None)]);
    let zh = text(&check(&wecom, "main-secret", "", "zh_CN.UTF-8", false).await);
    assert!(
        zh.contains("✗ acme/main  企业可信IP：企业微信拒绝，errcode 60020"),
        "{zh}"
    );
    assert!(zh.contains("开发者接口 → 企业可信IP"), "{zh}");
    let en = text(&check(&wecom, "main-secret", "", "en_US.UTF-8", false).await);
    assert!(en.contains("WeCom refuses with errcode 60020 (ip_not_trusted)"), "{en}");
    assert!(en.contains("This host's public IP is not on the list"), "{en}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_may_not_call_one_function_is_told_so_and_the_others_are_asked() {
    let wecom = wecom().await;
    let path = "externalcontact/get_corp_tag_list";
    wecom.sandbox().fault(Fault::on(path).errcode(48002).always());
    let (code, found) = asked(&wecom, "main-secret", "").await;
    assert_eq!(code, Some(1));
    assert_eq!(found[0], is("contacts", "error", Some(48002)));
    assert_eq!(found[1], is("kf", "ok", None));
    let zh = text(&check(&wecom, "main-secret", "", "zh_CN.UTF-8", false).await);
    assert!(zh.contains("客户联系 → 客户 → API → 可调用接口的应用"), "{zh}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_tried_once_and_never_printed() {
    let wecom = wecom().await;
    let out = check(&wecom, "not-the-secret", "", "C", false).await;
    assert_eq!(out.status.code(), Some(1));
    let report = text(&out);
    assert!(
        report.contains("errcode 40001") && report.contains("自建 → the app → Secret"),
        "{report}"
    );
    assert!(!report.contains("not-the-secret"), "{report}");
    assert_eq!(wecom.sandbox().calls_of("gettoken").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kf_account_that_does_not_exist_is_named_by_its_short_name() {
    let wecom = wecom().await;
    let kf = "[corp.kf]\naccounts = { sales = \"wkCoffee0001\", gone = \"wkNobody\" }\n";
    let (code, found) = asked(&wecom, "main-secret", kf).await;
    assert_eq!(code, Some(1));
    assert!(found.contains(&is("kf_account", "error", None)), "{found:?}");
    assert!(found.contains(&is("kf_account", "ok", None)), "{found:?}");
}
