//! Tokens: one flight, refreshed once, wrong secrets left alone.

use super::super::CallError;
use super::*;
use crate::wecom::api::GetCorpTagList;

fn api(d: &Delivery) -> super::super::Api<'_> {
    d.api(&corp_id(), &AppName::new("main"), AppKind::Contacts).unwrap()
}

#[tokio::test]
async fn many_calls_at_once_fetch_one_token_and_a_neighbour_takes_it_from_the_store() {
    let h = house().await;
    let calls = (0..20).map(|_| async { api(&h.delivery).call(&GetCorpTagList {}).await });
    for r in futures(calls).await {
        r.unwrap();
    }
    assert_eq!(h.seen("gettoken").len(), 1);
    api(&h.neighbour()).call(&GetCorpTagList {}).await.unwrap();
    assert_eq!(h.seen("gettoken").len(), 1);
    assert!(h.seen("gettoken")[0].query.contains("corpid=ww1&corpsecret=s3cret"));
}

/// All at once, on this task.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (f, out) in &mut all {
            if out.is_none() {
                match f.as_mut().poll(cx) {
                    std::task::Poll::Ready(v) => *out = Some(v),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    all.into_iter().filter_map(|(_, out)| out).collect()
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all_and_the_call_repeated_once() {
    let h = house().await;
    api(&h.delivery).call(&GetCorpTagList {}).await.unwrap();
    h.script.lock().unwrap().revoked = Some("T1");
    let calls = (0..5).map(|_| async { api(&h.delivery).call(&GetCorpTagList {}).await });
    for r in futures(calls).await {
        r.unwrap();
    }
    assert_eq!(h.seen("gettoken").len(), 2);
    let refused = h
        .seen("externalcontact/get_corp_tag_list")
        .into_iter()
        .filter(|s| s.query.ends_with("=T1"));
    assert!(refused.count() <= 1 + 5, "each call used the old token once at most");
}

#[tokio::test]
async fn a_second_refusal_pauses_this_call_of_this_app_and_no_other() {
    let h = house().await;
    h.always("externalcontact/get_corp_tag_list", errcode(40014));
    let e = api(&h.delivery).call(&GetCorpTagList {}).await.unwrap_err();
    assert!(
        matches!(
            e,
            CallError::Refused {
                errcode: 40014,
                until: Some(_)
            }
        ),
        "{e:?}"
    );
    assert_eq!(h.seen("externalcontact/get_corp_tag_list").len(), 2);
    let e = api(&h.delivery).call(&GetCorpTagList {}).await.unwrap_err();
    assert!(matches!(e, CallError::Later { .. }), "{e:?}");
    assert_eq!(h.seen("gettoken").len(), 2);
    assert_eq!(
        what(&h.end(&h.kf("plain", Part::Text)).await),
        (Outcome::Delivered, "ok")
    );
}

#[tokio::test]
async fn a_wrong_secret_is_tried_once_by_all_gateways_together_and_again_after_a_growing_pause() {
    let h = house().await;
    h.always("gettoken", errcode(40001));
    let e = api(&h.delivery).call(&GetCorpTagList {}).await.unwrap_err();
    assert!(
        matches!(
            e,
            CallError::Refused {
                errcode: 40001,
                until: Some(_)
            }
        ),
        "{e:?}"
    );
    for d in [&h.delivery, &h.neighbour(), &h.neighbour()] {
        assert!(api(d).call(&GetCorpTagList {}).await.is_err());
    }
    assert_eq!(h.seen("gettoken").len(), 1, "repeats ban the IP");
    assert_eq!(h.delivery.paused(&corp_id()).len(), 1);
    h.pass(Duration::from_secs(301));
    assert!(api(&h.delivery).call(&GetCorpTagList {}).await.is_err());
    assert!(api(&h.neighbour()).call(&GetCorpTagList {}).await.is_err());
    assert_eq!(h.seen("gettoken").len(), 2);
    h.pass(Duration::from_secs(301));
    assert!(api(&h.delivery).call(&GetCorpTagList {}).await.is_err());
    assert_eq!(h.seen("gettoken").len(), 2, "the second pause is ten minutes");
    h.pass(Duration::from_secs(301));
    h.script.lock().unwrap().always.remove("gettoken");
    api(&h.delivery).call(&GetCorpTagList {}).await.unwrap();
}

#[tokio::test]
async fn jobs_of_an_app_with_a_wrong_secret_wait_and_welcomes_expire() {
    let h = house().await;
    h.always("gettoken", errcode(40091));
    let called = h.go(&h.tags(&[("G", "T")])).await;
    assert!(
        matches!(&called.then, Then::Later { refused: true, reason, .. } if reason == "invalid_secret"),
        "{called:?}"
    );
    let ready = h.ready(&h.welcome("hi")).await;
    assert!(
        h.delivery.permit(&ready).await.is_err(),
        "known before the start is noted"
    );
    let ending = match h.delivery.call(ready).await.then {
        Then::End(e) => e,
        other => panic!("{other:?}"),
    };
    assert_eq!(what(&ending), (Outcome::Expired, "deadline"));
    assert_eq!(
        (ending.errcode, ending.notes),
        (Some(40091), vec!["waited:invalid_secret".to_owned()])
    );
    assert!(
        h.metrics
            .render()
            .contains(r#"reason="invalid_secret",what="app_paused""#)
    );
}

#[tokio::test]
async fn a_changed_secret_goes_at_once() {
    let h = house().await;
    h.next("gettoken", [errcode(40001)]);
    assert!(api(&h.delivery).call(&GetCorpTagList {}).await.is_err());
    let mut settings = (*h.settings).clone();
    settings.corps[0].apps[0].secret = Some("another".into());
    let restarted = Delivery::new(
        Arc::new(settings),
        Arc::clone(&h.store) as Arc<dyn crate::store::Store>,
        Arc::new(One(Arc::clone(&h.bundle))),
        Arc::clone(&h.metrics),
        h.clock.clone(),
        "cafe0123",
    );
    api(&restarted).call(&GetCorpTagList {}).await.unwrap();
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    let h = house().await;
    api(&h.delivery).call(&GetCorpTagList {}).await.unwrap();
    h.pass(Duration::from_secs(6905));
    api(&h.delivery).call(&GetCorpTagList {}).await.unwrap();
    let used: Vec<String> = h
        .seen("externalcontact/get_corp_tag_list")
        .into_iter()
        .map(|s| s.query)
        .collect();
    assert_eq!(h.seen("gettoken").len(), 2);
    assert_ne!(used[0], used[1]);
}

#[tokio::test]
async fn a_caller_who_runs_out_of_time_does_not_stop_the_flight_of_the_token() {
    let h = house().await;
    h.next("gettoken", [Reply::Slow(300)]);
    let (hasty, patient) = (api(&h.delivery), api(&h.delivery));
    let gave_up = tokio::time::timeout(Duration::from_millis(100), hasty.call(&GetCorpTagList {}));
    assert!(gave_up.await.is_err());
    patient.call(&GetCorpTagList {}).await.unwrap();
    assert_eq!(h.seen("gettoken").len(), 1);
}
