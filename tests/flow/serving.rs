//! The gateway as its integrator sees it: what it refuses at start, what it shows, and what harms nobody.

use wecom_gateway::sandbox::Act;

use crate::script::{CHEN, Script, WANG};
use crate::stage::{metric, run};

#[tokio::test]
async fn serve_refuses_wrong_content_and_settings_with_exit_2_and_the_place() {
    let content = Script::coffee().rule("错", "on = \"contact_lost\"\nreply = [\"a\"]");
    content.write("http://127.0.0.1:1", "127.0.0.1:0");
    let refused = run(content.command(&["serve"])).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("rules/all.toml:"), "{refused:?}");
    let settings = Script::coffee().corp("brodcast = { rule = \"day_1\" }");
    settings.write("http://127.0.0.1:1", "127.0.0.1:0");
    let refused = run(settings.command(&["serve"])).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.err.contains("broadcast"),
        "names the nearest known key: {refused:?}"
    );
}

#[tokio::test]
async fn what_nobody_knows_is_journalled_counted_and_harmless() {
    let play = Script::coffee()
        .kf("poll = \"1h\"")
        .rule(
            "价",
            "on = \"message\"\nkeywords = { any = [\"价格\"] }\nreply = [\"a\"]",
        )
        .play()
        .await;
    let head = "<ToUserName>ww0123456789abcdef</ToUserName><FromUserName>sys</FromUserName><CreateTime>1700000000</CreateTime>";
    for inner in [
        "<MsgType>event</MsgType><Event>brand_new_event</Event><Odd><Deep>1</Deep><Deep>2</Deep></Odd>",
        "<MsgType>event</MsgType><Event>change_external_contact</Event><ChangeType>renamed_in_2030</ChangeType>\
         <UserID>zhangsan</UserID><ExternalUserID>wmLaoChen</ExternalUserID>",
        "<MsgType>hologram</MsgType><MsgId>9</MsgId><AgentID>1000002</AgentID>",
        "<InfoType>suite_thing</InfoType>",
        "<MsgType>event</MsgType><Event>kf_msg_or_event</Event><Token>T</Token><OpenKfId>wkUnheardOf</OpenKfId>",
        "<MsgType>event</MsgType><Event>change_external_contact</Event><ChangeType>add_external_contact</ChangeType>",
    ] {
        let xml = format!("<xml>{head}{inner}</xml>");
        play.act(Act::Raw {
            app: "main".into(),
            xml,
        })
        .await;
    }
    play.writes(CHEN, "价格").await;
    play.sees(CHEN, 1).await;
    play.settle().await;
    assert!(
        play.metric("wecom_events_total", &[("kind", "unknown")]) >= 3.0,
        "{}",
        play.app.metrics.render()
    );
    assert_eq!(play.metric("wecom_callbacks_accepted_total", &[]), 7.0);
    play.end().await;
}

#[tokio::test]
async fn the_metrics_of_the_issue_are_on_the_page_with_their_labels() {
    let play = Script::coffee()
        .channel("*", "welcome = \"a\"\ntags = [\"来源/其他\"]")
        .play()
        .await;
    assert_eq!(play.get("/healthz").await.0, 200);
    assert_eq!(play.get("/readyz").await.0, 200);
    play.scan(WANG, "x").await;
    play.settle().await;
    let forged = play
        .get("/callback/acme/main?msg_signature=0&timestamp=1&nonce=2&echostr=YQ==")
        .await;
    assert!((400..500).contains(&forged.0), "{forged:?}");
    assert_eq!(play.get("/callback/acme/nobody?msg_signature=0").await.0, 404);
    // The queue's figures are taken every few seconds.
    play.until("the queue's figures", || {
        play.app.metrics.render().contains("wecom_queue_jobs{")
    })
    .await;
    let (status, page) = play.get("/metrics").await;
    assert_eq!(status, 200);
    for (name, labels) in [
        (
            "wecom_callbacks_accepted_total",
            vec![("corp", "acme"), ("app", "main")],
        ),
        ("wecom_callbacks_refused_total", vec![("reason", "unknown_app")]),
        (
            "wecom_jobs_total",
            vec![("lane", "urgent"), ("outcome", "delivered"), ("reason", "ok")],
        ),
        (
            "wecom_jobs_total",
            vec![("lane", "chore"), ("outcome", "delivered"), ("reason", "ok")],
        ),
        ("wecom_decided_total", vec![("rule", "channel:*")]),
        ("wecom_callback_lag_seconds_count", vec![("corp", "acme")]),
        (
            "wecom_api_seconds_count",
            vec![("path", "externalcontact/send_welcome_msg"), ("errcode", "0")],
        ),
        ("wecom_owned_partitions", vec![]),
        ("wecom_bundle", vec![("corp", "acme")]),
    ] {
        assert!(metric(&page, name, &labels) >= 1.0, "{name} {labels:?}\n{page}");
    }
    for name in [
        "wecom_callbacks_duplicate_total",
        "wecom_queue_jobs",
        "wecom_queue_oldest_seconds",
        "wecom_spool_events",
        "wecom_spool_oldest_seconds",
    ] {
        assert!(page.contains(&format!("# TYPE {name} ")), "{name}\n{page}");
    }
    for private in [WANG, "zhangsan", "main-secret", "甲"] {
        assert!(!page.contains(private), "{private} is on the page");
    }
    play.end().await;
}
