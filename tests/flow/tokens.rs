//! The access token: one, shared, renewed once, and a wrong secret that harms nobody else.

use wecom_gateway::sandbox::{Act, Fault};

use crate::script::{Script, WANG, kf_free};

fn script() -> Script {
    kf_free(Script::coffee())
        .channel("*", "welcome = \"a\"")
        .channel("", "welcome = \"a\"")
}

#[tokio::test]
async fn many_jobs_at_the_start_ask_for_one_token() {
    let script = script().setup(|s| (0..30).fold(s, |s, i| s.contact(&format!("wmN{i}"), "新")));
    let wecom = script.setup.clone().start().await.unwrap();
    wecom.fault(Fault::on("gettoken").delay_ms(300));
    let play = script.play_before(wecom).await;
    for i in 0..30 {
        play.scan(&format!("wmN{i}"), "x").await;
    }
    assert_eq!(play.outcomes("welcome").await, vec!["delivered: ok"; 30]);
    assert_eq!(play.calls("gettoken"), 1);
    play.end().await;
}

#[tokio::test]
async fn a_token_that_wecom_expired_or_forgot_is_renewed_once_and_the_call_repeated_once() {
    let play = script()
        .setup(|s| (0..20).fold(s, |s, i| s.contact(&format!("wmN{i}"), "新")))
        .play()
        .await;
    play.scan(WANG, "x").await;
    play.sees(WANG, 1).await;
    assert_eq!(play.calls("gettoken"), 1);
    play.wecom.expire_tokens();
    for i in 0..10 {
        play.scan(&format!("wmN{i}"), "x").await;
    }
    play.settle().await;
    assert_eq!(play.calls("gettoken"), 2, "one refresh for all of them");
    play.wecom.forget_tokens();
    for i in 10..20 {
        play.scan(&format!("wmN{i}"), "x").await;
    }
    assert_eq!(play.outcomes("welcome").await, vec!["delivered: ok"; 21]);
    assert_eq!(play.calls("gettoken"), 3);
    play.end().await;
}

#[tokio::test]
async fn a_wrong_secret_pauses_its_app_after_one_try_and_no_other_app() {
    let play = script()
        .rule(
            "嗨",
            "on = \"message\"\nsource = [\"agent\"]\nkeywords = { any = [\"hi\"] }\nreply = [\"c\"]",
        )
        .second_app()
        .secret("crm", "not-the-secret")
        .play()
        .await;
    // Only crm gets these callbacks: its welcomes need its token, and it has none.
    play.wecom.change_app(None, "main", |a| a.callback_url = None).unwrap();
    play.scan(WANG, "x").await;
    play.until("the wrong secret", || {
        play.metric("wecom_api_seconds_count", &[("path", "gettoken"), ("errcode", "40001")]) == 1.0
    })
    .await;
    play.wecom
        .set_callback("main", &format!("http://{}/callback/acme/main", play.app.addr))
        .unwrap();
    play.act(Act::MemberWrite {
        app: Some("main".into()),
        member: "zhangsan".into(),
        text: "hi".into(),
    })
    .await;
    play.sees("zhangsan", 1).await;
    play.until("crm's welcome", || {
        play.metric("wecom_jobs_total", &[("lane", "urgent"), ("outcome", "expired")]) == 1.0
    })
    .await;
    let tokens = play.wecom.calls_of("gettoken");
    let wrong = tokens.iter().filter(|c| c.answer["errcode"] != 0).count();
    assert_eq!(wrong, 1, "repeats ban the address");
    // What has no deadline waits for a person to correct the secret.
    play.leave();
}
