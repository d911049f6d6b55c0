//! Media and tags.

use super::*;

#[tokio::test]
async fn media_are_uploaded_once_for_all_gateways_and_used_by_id() {
    let h = house().await;
    let pic = h.kf("pic", Part::Attachment(0));
    assert_eq!(what(&h.end(&pic).await), (Outcome::Delivered, "ok"));
    assert_eq!(what(&h.end(&pic).await), (Outcome::Delivered, "ok"));
    let other = h.neighbour();
    let Prepared::Ready(_) = other.prepare(&pic.attempt(h.clock.now())).await.prepared else {
        panic!()
    };
    let uploads = h.seen("media/upload");
    assert_eq!(uploads.len(), 1);
    assert!(uploads[0].query.contains("type=image"));
    assert!(uploads[0].body.windows(PNG.len()).any(|w| w == PNG));
    let sent = h.seen("kf/send_msg")[0].json();
    assert_eq!(sent["msgtype"], "image");
    assert!(sent["image"]["media_id"].as_str().unwrap().starts_with('M'));
    assert_eq!(sent["msgid"], "cafe0123035-0");
    h.pass(Duration::from_secs(5 * 86_400 / 2 + 1));
    let old = h.seen("media/upload").len();
    h.ready(&pic).await;
    for _ in 0..200 {
        if h.seen("media/upload").len() > old {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(h.seen("media/upload").len(), 2, "renewed at 2.5 of 3 days");
    h.always("media/upload", Reply::Hang);
    h.pass(Duration::from_secs(5 * 86_400 / 2 + 1));
    let began = h.clock.now();
    h.ready(&pic).await;
    assert!(
        h.clock.now().since(began) < Duration::from_secs(2),
        "the old id is used meanwhile"
    );
}

#[tokio::test]
async fn an_id_that_wecom_forgot_is_uploaded_again_and_the_call_repeated_once() {
    let h = house().await;
    let pic = h.kf("pic", Part::Attachment(0));
    h.ready(&pic).await;
    h.next("kf/send_msg", [errcode(40007)]);
    assert_eq!(what(&h.end(&pic).await), (Outcome::Delivered, "ok"));
    assert_eq!(h.seen("media/upload").len(), 2);
    let ids: Vec<Value> = h
        .seen("kf/send_msg")
        .iter()
        .map(|s| s.json()["image"]["media_id"].clone())
        .collect();
    assert_ne!(ids[0], ids[1]);
    h.next("kf/send_msg", [errcode(40007), errcode(40007)]);
    assert_eq!(what(&h.end(&pic).await), (Outcome::Rejected, "invalid_media_id"));
}

#[tokio::test]
async fn a_welcome_goes_without_media_that_are_not_ready_five_seconds_before_its_deadline() {
    let h = house().await;
    h.always("media/upload", Reply::Hang);
    let mut t = h.welcome("pic");
    t.job.deadline = Some(h.clock.now().plus(Duration::from_millis(5300)));
    let ending = h.end(&t).await;
    assert_eq!(what(&ending), (Outcome::Delivered, "ok"));
    assert_eq!(ending.notes, ["without:a.png"]);
    let sent = h.seen("externalcontact/send_welcome_msg")[0].json();
    assert!(sent.get("attachments").is_none());
    assert_eq!(sent["text"]["content"], "看");
}

#[tokio::test]
async fn the_media_of_the_live_bundle_are_uploaded_ahead_but_not_in_observe_mode() {
    let h = house().await;
    h.delivery.warm(&h.settings.corps[0], &h.bundle);
    for _ in 0..200 {
        if !h.seen("media/upload").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(h.seen("media/upload").len(), 1);
    assert!(
        h.seen("media/uploadimg").is_empty(),
        "no template uses it as a link's picture"
    );
    let quiet = house_with(|c| c.safety.observe = true).await;
    quiet.delivery.warm(&quiet.settings.corps[0], &quiet.bundle);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(quiet.script.lock().unwrap().seen.is_empty());
}

#[tokio::test]
async fn missing_tags_are_made_once_and_marked_by_id() {
    let h = house().await;
    h.next(
        "externalcontact/add_corp_tag",
        [Reply::Json(
            json!({"errcode": 0, "tag_group": {"group_id": "g", "group_name": "G", "tag": [{"id": "i1", "name": "A"}, {"id": "i2", "name": "B"}]}}),
        )],
    );
    let t = h.tags(&[("G", "A"), ("G", "B")]);
    assert_eq!(what(&h.end(&t).await), (Outcome::Delivered, "ok"));
    assert_eq!(what(&h.end(&t).await), (Outcome::Delivered, "ok"));
    let made = h.seen("externalcontact/add_corp_tag");
    assert_eq!(made.len(), 1);
    assert_eq!(
        made[0].json(),
        json!({"group_name": "G", "tag": [{"name": "A"}, {"name": "B"}]})
    );
    assert_eq!(h.seen("externalcontact/get_corp_tag_list").len(), 1);
    assert_eq!(
        h.seen("externalcontact/mark_tag")[0].json(),
        json!({"userid": "lisi", "external_userid": "wm1", "add_tag": ["i1", "i2"]})
    );
}

#[tokio::test]
async fn a_tag_that_another_system_made_or_deleted_is_found_by_reading_the_library_again() {
    let h = house().await;
    let library = |id: &str| {
        Reply::Json(json!({"tag_group": [{"group_id": "g", "group_name": "G", "tag": [{"id": id, "name": "A"}]}]}))
    };
    h.next(
        "externalcontact/get_corp_tag_list",
        [Reply::Json(json!({"tag_group": []})), library("i1")],
    );
    h.next("externalcontact/add_corp_tag", [errcode(40071)]);
    let t = h.tags(&[("G", "A")]);
    assert_eq!(what(&h.end(&t).await), (Outcome::Delivered, "ok"));
    h.next("externalcontact/get_corp_tag_list", [library("i2")]);
    h.next("externalcontact/mark_tag", [errcode(40068)]);
    assert_eq!(what(&h.end(&t).await), (Outcome::Delivered, "ok"));
    let ids: Vec<Value> = h
        .seen("externalcontact/mark_tag")
        .iter()
        .map(|s| s.json()["add_tag"][0].clone())
        .collect();
    assert_eq!(ids, ["i1", "i1", "i2"]);
}
