use hyper::Request;

use crate::client::Wecom;
use wecom_gateway::sandbox::Sandbox;

#[tokio::test]
async fn an_upload_lives_three_days_and_can_be_fetched() {
    let mut wecom = Wecom::coffee().await;
    let id = wecom.image().await;
    let fetch = |wecom: &Wecom| Request::get(wecom.api("media/get", &format!("&media_id={id}")));
    let (_, bytes) = wecom.raw(fetch(&wecom), "".into()).await.unwrap();
    assert_eq!(&bytes[..], b"\x89PNG\r\n\x1a\nrest");
    wecom.sandbox.advance(3 * 86_400_000);
    wecom.token = wecom.new_token("main").await;
    let (_, bytes) = wecom.raw(fetch(&wecom), "".into()).await.unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("40007"));
}

#[tokio::test]
async fn uploads_are_checked_by_kind_and_size() {
    let wecom = Wecom::coffee().await;
    let png = b"\x89PNG\r\n\x1a\nrest".as_slice();
    let big = vec![b'x'; (20 << 20) + 1];
    let cases: [(&str, &[u8], i64); 7] = [
        ("&type=smoke", png, 40004),
        ("", png, 40004),
        ("&type=image", b"not an image", 40005),
        ("&type=voice", png, 40005),
        ("&type=file", b"12345", 40006),
        ("&type=file", b"", 44001),
        ("&type=file", &big, 45001),
    ];
    for (query, bytes, expected) in cases {
        let said = wecom.upload("media/upload", query, "a.bin", bytes).await;
        assert_eq!(said["errcode"], expected, "{query}");
    }
    let good = wecom
        .upload("media/upload", "&type=file", "a.bin", b"\r\n--X\r\n\r\n")
        .await;
    assert_eq!((&good["type"], good["created_at"].is_string()), (&"file".into(), true));
    let bare = wecom.post("media/upload", serde_json::json!({})).await;
    assert_eq!(bare["errcode"], 40004);
}

#[tokio::test]
async fn an_image_url_can_be_used_in_a_welcome_and_is_limited_by_the_day() {
    let wecom = Wecom::start(Sandbox::coffee().limits(|l| l.uploadimg_per_day = 1)).await;
    let url = wecom.upload("media/uploadimg", "", "a.png", b"\x89PNG\r\n\x1a\n").await["url"].clone();
    let again = wecom.upload("media/uploadimg", "", "a.png", b"\x89PNG\r\n\x1a\n").await;
    assert_eq!(again["errcode"], 45009);
    let code = wecom.scan("wmXiaoWang", false).await;
    let image = |url| serde_json::json!([{"msgtype": "image", "image": {"pic_url": url}}]);
    let api = "externalcontact/send_welcome_msg";
    let foreign = serde_json::json!({"welcome_code": code, "attachments": image("https://example.com/a.png".into())});
    assert_eq!(wecom.code(api, foreign).await, 40058);
    let own = serde_json::json!({"welcome_code": code, "attachments": image(url)});
    assert_eq!(wecom.code(api, own).await, 0);
}
