use serde_json::json;

use crate::client::{CHEN, WANG, Wecom, ZHOU};
use wecom_gateway::sandbox::Act;

const MARK: &str = "externalcontact/mark_tag";
const ADD: &str = "externalcontact/add_corp_tag";

async fn tag(wecom: &Wecom, group: &str, name: &str) -> String {
    let made = wecom
        .post(ADD, json!({"group_name": group, "tag": [{"name": name}]}))
        .await;
    made["tag_group"]["tag"][0]["id"].as_str().unwrap().to_owned()
}

fn mark(contact: &str, tag: &str) -> serde_json::Value {
    json!({"userid": "zhangsan", "external_userid": contact, "add_tag": [tag]})
}

#[tokio::test]
async fn a_tag_belongs_to_the_pair_and_shows_in_the_contact() {
    let wecom = Wecom::coffee().await;
    let id = tag(&wecom, "Source", "Poster").await;
    assert_eq!(wecom.code(MARK, mark(CHEN, &id)).await, 0);
    assert_eq!(wecom.code(MARK, mark(CHEN, &id)).await, 0, "twice does no harm");
    assert_eq!(wecom.sandbox.tags_of("zhangsan", CHEN), ["Source/Poster"]);
    assert!(wecom.sandbox.tags_of("lisi", CHEN).is_empty());
    let got = wecom
        .get("externalcontact/get", &format!("&external_userid={CHEN}"))
        .await;
    assert_eq!(got["external_contact"]["name"], "老陈");
    let zhang = got["follow_user"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["userid"] == "zhangsan")
        .unwrap();
    assert_eq!(
        (&zhang["tags"][0]["group_name"], &zhang["tags"][0]["tag_name"]),
        (&json!("Source"), &json!("Poster"))
    );
}

#[tokio::test]
async fn a_half_added_contact_cannot_be_tagged_yet_and_a_lost_one_still_can() {
    let wecom = Wecom::coffee().await;
    let id = tag(&wecom, "Source", "Poster").await;
    wecom.scan(WANG, true).await;
    assert_eq!(wecom.code(MARK, mark(WANG, &id)).await, 84061);
    wecom
        .act(Act::Confirm {
            member: "zhangsan".into(),
            contact: WANG.into(),
        })
        .await;
    assert_eq!(wecom.code(MARK, mark(WANG, &id)).await, 0);
    wecom
        .act(Act::DeleteMember {
            member: "zhangsan".into(),
            contact: WANG.into(),
        })
        .await;
    assert_eq!(wecom.code(MARK, mark(WANG, &id)).await, 0);
    wecom
        .act(Act::DeleteContact {
            member: "zhangsan".into(),
            contact: WANG.into(),
            transfer: false,
        })
        .await;
    assert_eq!(wecom.code(MARK, mark(WANG, &id)).await, 84061);
}

#[tokio::test]
async fn marking_names_what_is_wrong_by_number() {
    let wecom = Wecom::coffee().await;
    let id = tag(&wecom, "Source", "Poster").await;
    let cases = [
        (mark(CHEN, "no-such-tag"), 40068),
        (mark(WANG, &id), 84061),
        (mark("wmNobody", &id), 40096),
        (
            json!({"userid": "nobody", "external_userid": CHEN, "add_tag": [id]}),
            40003,
        ),
        (json!({"userid": "zhangsan", "external_userid": CHEN}), 40063),
        (
            json!({"userid": "zhangsan", "external_userid": CHEN, "add_tag": "x"}),
            40058,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(wecom.code(MARK, body.clone()).await, expected, "{body}");
    }
}

#[tokio::test]
async fn a_tag_that_exists_is_40071_and_new_ones_join_their_group() {
    let wecom = Wecom::coffee().await;
    tag(&wecom, "City", "Shanghai").await;
    assert_eq!(
        wecom
            .code(ADD, json!({"group_name": "City", "tag": [{"name": "Shanghai"}]}))
            .await,
        40071
    );
    tag(&wecom, "City", "Beijing").await;
    assert_eq!(wecom.code(ADD, json!({"group_name": "City", "tag": []})).await, 40063);
    let long = "字".repeat(31);
    assert_eq!(
        wecom
            .code(ADD, json!({"group_name": "City", "tag": [{"name": long}]}))
            .await,
        40072
    );
    let list = wecom.post("externalcontact/get_corp_tag_list", json!({})).await;
    let groups = list["tag_group"].as_array().unwrap();
    assert_eq!((groups.len(), groups[0]["tag"].as_array().unwrap().len()), (1, 2));
}

#[tokio::test]
async fn only_the_app_that_made_a_tag_may_change_or_delete_it() {
    let mut wecom = Wecom::with_two_apps().await;
    let id = tag(&wecom, "City", "Shanghai").await;
    assert_eq!(
        wecom
            .code("externalcontact/edit_corp_tag", json!({"id": id, "name": "SH"}))
            .await,
        0
    );
    let main = wecom.token.clone();
    wecom.token = wecom.new_token("crm").await;
    assert_eq!(
        wecom
            .code("externalcontact/edit_corp_tag", json!({"id": id, "name": "X"}))
            .await,
        60011
    );
    assert_eq!(
        wecom
            .code("externalcontact/del_corp_tag", json!({"tag_id": [id]}))
            .await,
        60011
    );
    wecom.token = main;
    assert_eq!(
        wecom
            .code("externalcontact/del_corp_tag", json!({"tag_id": [id]}))
            .await,
        0
    );
    let list = wecom.post("externalcontact/get_corp_tag_list", json!({})).await;
    assert_eq!(list["tag_group"], json!([]), "the last tag takes its group with it");
}

#[tokio::test]
async fn a_remark_is_counted_in_characters() {
    let wecom = Wecom::coffee().await;
    let remark = |text: String| json!({"userid": "zhangsan", "external_userid": CHEN, "remark": text});
    assert_eq!(wecom.code("externalcontact/remark", remark("字".repeat(20))).await, 0);
    assert_eq!(
        wecom.code("externalcontact/remark", remark("字".repeat(21))).await,
        40058
    );
    assert_eq!(
        wecom.sandbox.relation("zhangsan", CHEN).unwrap().remark,
        "字".repeat(20)
    );
    let empty = json!({"userid": "zhangsan", "external_userid": CHEN});
    assert_eq!(wecom.code("externalcontact/remark", empty).await, 40058);
}

#[tokio::test]
async fn a_member_without_customers_is_84061_not_an_empty_list() {
    let wecom = Wecom::coffee().await;
    let list = wecom.get("externalcontact/list", "&userid=zhangsan").await;
    assert_eq!(list["external_userid"], json!([CHEN, ZHOU]));
    wecom
        .do_json(json!({"do": "add_member", "member": "wangwu", "name": "王五"}))
        .await;
    assert_eq!(
        wecom.get("externalcontact/list", "&userid=wangwu").await["errcode"],
        84061
    );
    assert_eq!(
        wecom.get("externalcontact/list", "&userid=nobody").await["errcode"],
        40003
    );
    let members = wecom.get("externalcontact/get_follow_user_list", "").await;
    assert_eq!(members["follow_user"], json!(["lisi", "wangwu", "zhangsan"]));
}

#[tokio::test]
async fn reading_by_member_goes_page_by_page() {
    let wecom = Wecom::coffee().await;
    let api = "externalcontact/batch/get_by_user";
    let first = wecom.post(api, json!({"userid_list": ["zhangsan"], "limit": 1})).await;
    assert_eq!(
        first["external_contact_list"][0]["external_contact"]["external_userid"],
        CHEN
    );
    let next = json!({"userid_list": ["zhangsan"], "limit": 1, "cursor": first["next_cursor"]});
    let second = wecom.post(api, next).await;
    assert_eq!(
        second["external_contact_list"][0]["external_contact"]["external_userid"],
        ZHOU
    );
    assert_eq!(second["next_cursor"], "");
    assert_eq!(
        wecom
            .code(api, json!({"userid_list": ["zhangsan"], "cursor": "?"}))
            .await,
        50100
    );
}

#[tokio::test]
async fn a_stranger_cannot_be_read() {
    let wecom = Wecom::coffee().await;
    assert_eq!(
        wecom
            .get("externalcontact/get", &format!("&external_userid={WANG}"))
            .await["errcode"],
        84061
    );
    assert_eq!(
        wecom.get("externalcontact/get", "&external_userid=wmNobody").await["errcode"],
        40096
    );
    assert_eq!(wecom.get("externalcontact/get", "").await["errcode"], 41035);
}
