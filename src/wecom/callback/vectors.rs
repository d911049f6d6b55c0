//! The test vectors of the fact sheet (callbacks.md §1.9): official demo, wechatpy, go-workwx, SKIT, and the edge
//! cases that were computed from them.

use super::*;
use crate::wecom::crypto::signature;

const A_TOKEN: &str = "QDG6eK";
const A_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const A_ID: &str = "wx5823bf96d3bd56c7";
const B_TOKEN: &str = "123456";
const B_KEY: &str = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";
const B_ID: &str = "wx49f0ab532d5d035a";
const C_TOKEN: &str = "kz7Yx62CH8SaLN";
const C_KEY: &str = "cD0d7jx4tYvVtzqrmh3Dm3QFCXe6f8SlHoMtMh3qQEP";
const C_ID: &str = "ww6a112864f8022910";

fn credentials(token: &str, key: &str, id: &str) -> Credentials {
    Credentials::new(token.into(), AesKey::parse(key).unwrap(), vec![id.into()])
}

fn query(signature: &str, timestamp: &str, nonce: &str) -> String {
    format!("msg_signature={signature}&timestamp={timestamp}&nonce={nonce}")
}

fn open(c: &Credentials, query: &str, encrypt: &str) -> Result<String, Refusal> {
    let body = format!("<xml><ToUserName><![CDATA[x]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
    let json = format!("{{\"encrypt\":\"{encrypt}\"}}");
    let query = Query::parse(query).unwrap();
    let opened = c.open(&query, body.as_bytes());
    assert_eq!(opened, c.open(&query, json.as_bytes()));
    opened.map(|v| String::from_utf8(v.into_plain()).unwrap())
}

fn echo(c: &Credentials, query: &str, echostr: &str) -> Result<String, Refusal> {
    let raw = format!(
        "{query}&echostr={}",
        echostr.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
    );
    let seen = c.verify_url(&Query::parse(&raw).unwrap());
    // A proxy that decodes once leaves plus signs, one that decodes as a form leaves spaces.
    for damaged in [echostr.to_owned(), echostr.replace('+', " ")] {
        let raw = format!("{query}&echostr={damaged}");
        assert_eq!(seen, c.verify_url(&Query::parse(&raw).unwrap()));
    }
    seen.map(|v| String::from_utf8(v).unwrap())
}

const A2: &str = "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==";
const A2_MSG: &str = "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName>\n<FromUserName><![CDATA[mycreate]]></FromUserName>\n<CreateTime>1409659813</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[hello]]></Content>\n<MsgId>4561255354251345929</MsgId>\n<AgentID>218</AgentID>\n</xml>";
const B2: &str = "RgqEoJj5A4EMYlLvWO1F86ioRjZfaex/gePD0gOXTxpsq5Yj4GNglrBb8I2BAJVODGajiFnXBu7mCPatfjsu6IHCrsTyeDXzF6Bv283dGymzxh6ydJRvZsryDyZbLTE7rhnus50qGPMfp2wASFlzEgMW9z1ef/RD8XzaFYgm7iTdaXpXaG4+BiYyolBug/gYNx410cvkKR2/nPwBiT+P4hIiOAQqGp/TywZBtDh1yCF2KOd0gpiMZ5jSw3e29mTvmUHzkVQiMS6td7vXUaWOMZnYZlF3So2SjHnwh4jYFxdgpkHHqIrH/54SNdshoQgWYEvccTKe7FS709/5t6NMxuGhcUGAPOQipvWTT4dShyqio7mlsl5noTrb++x6En749zCpQVhDpbV6GDnTbcX2e8K9QaNWHp91eBdCRxthuL0=";
const B3_MSG: &str = "<xml>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[test]]></Content>\n<FromUserName><![CDATA[wx49f0ab532d5d035a]]></FromUserName>\n<ToUserName><![CDATA[messense]]></ToUserName>\n<AgentID>1</AgentID>\n<CreateTime>1411525903</CreateTime>\n</xml>";
const B3: &str = "9s4gMv99m88kKTh/H8IdkOiMg6bisoy3ypwy9H4hvSPe9nsGaqyw5hhSjdYbcrKk+j3nba4HMOTzHrluLBYqxgNcBqGsL8GqxlhZgURnAtObvesEl5nZ+uBE8bviY0LWke8Zy9V/QYKxNV2FqllNXcfmstttyIkMKCCmVbCFM2JTF5wY0nFhHZSjPUL2Q1qvSUCUld+/WIXrx0oyKQmpB6o8NRrrNrsDf03oxI1p9FxUgMnwKKZeOA/uu+2IEvEBtb7muXsVbwbgX05UPPJvFurDXafG0RQyPR+mf1nDnAtQmmNOuiR5MIkdQ39xn1vWwi1O5oazPoQJz0nTYjxxEE8kv3kFxtAGVRe3ypD3WeK2XeFYFMNMpatF9XiKzHo3";
const C2: &str = "EUCt7xMcNiyASzZj0Hjc5yDjFQrCum6AfQ3ntHiUzjGQ51xieKmbvtrZ40/EcB2W/W8yH0n4Lqx48gJl/T9HD/R309I0P/r5pIZucK3lyEn48FYMr4YdE0QdL2jIJ3xkcXUr6uzefzCxG6lMvwpAJaOyVCzN7sRRw47njfxy5EIqU6R9ZBhlTzfdnhhOhK/nTwzrZX3SoGlXFA9OBeZ6ru1NWpXFk76x9DUMe0lcxPPiUqK8ctnQcYXSGUHVqC6DfG7E7mab0OmruNN8cBZY5d3dYOBA4OgaH55Q0AJmUpdT8vNiXpXx+6TxT3TIjySXpDrHVyrsb772aYywgg/Nu4kUmGkALwFZlzhjNegR7wDwb9lr4ERXsSSS8JZ8lbBmaQ3F2Tq584xoPj5rIhXAF734ynm4no1g+SdHiNqR328=";
const C2_MSG: &str = "<xml><ToUserName><![CDATA[ww6a112864f8022910]]></ToUserName><FromUserName><![CDATA[foobar]]></FromUserName><CreateTime>1583995625</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[x123]]></Content><MsgId>2018405441</MsgId><AgentID>1000002</AgentID></xml>";
const C3: &str = "fyVN9BUnH6xNl0/VCHTCg6XGxxvoFdyZ7VQbAbBcQ79dVccYvdIyJYZSMMhkPy8LPaoe+V27qjoQ553fXavmrPOgxzHrKKf3YIu63pB4/nN0LY4S+GzUFi/LLFj1TI1sOh0q2jT5u1nYz5G3HFNLd3DFUvJVLtZl8mVMwUOzBpzKZhhmCvIJLVlvym9tt+VYwG06MSbmnf9AzYFKhm1BIy+95Q824ilY6Wy8l+vkFqEdASl2k83jMXvlkVRSB3hmNptWTbq8ygDdLtkCyA4UEiZvfTskqqVkbYwLptRl/1F+DVL9SH/TWt2j3dCm4rzY5jQG+fA+2xh2Kk+OrVgafqtQCfhjq8C38A2IwCcg2BONKk8s5ijFxQoszmXvJQ3zLYbjzRWQ40xhryDyPNNse7/slKVW2QMBEUPNOxUcX9k=";
const D: &str = "Q/jUxIL3/jRaFeTKesIr1QSq2SOEApDqlzcRrRM6Jlk4EbMBns3plPOR/W3gThOEq+zYI42fNSoIUb3cQwt9zyD1aLU/7D3WNLute7LQ9LSHjZEfVmx5zcIR9zvrUWGjhe1whTPH4e1WR6vbOYs8o/bDRF0vX/NcE4XK7P83Y6CzQiJoKbjVCne84s0zcw5eh+ZUDB55eaDHPSoS7kAC8kB00pfBoDF0jyfc8CUKLW97e72vJGyUWjZ0BvYN+R+tFjMgEzg/EN1imuuFnf40DMAcvB6y+C97TuaWjpgfRdowGWzn10JAFNukRfQqjdA0e2bfczJ7+t9w/t8/XSMADJOt1xbnP+I5cRX/r7ueBGmG/6ejP3myO9yTXHdujGvwrXHuWw+J7qD4VoUVjbm2vQ1qQKbrweKssr6O+3XSbanZ5R3n26EpN/gfgX+r6rcGViqsFop9Ai9xMnfJUubB6Q==";

#[test]
fn the_official_demo_a_verifies_its_url_and_opens_its_message() {
    let c = credentials(A_TOKEN, A_KEY, A_ID);
    let q = query("5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3", "1409659589", "263014780");
    let e = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==";
    assert_eq!(echo(&c, &q, e).unwrap(), "1616140317555161061");
    let q = query("477715d11cdb4164915debcba66cb864d751f3e6", "1409659813", "1372623149");
    assert_eq!(open(&c, &q, A2).unwrap(), A2_MSG);
    assert_eq!(A2_MSG.len(), 284);
}

#[test]
fn wechatpy_b_verifies_opens_and_encrypts_to_the_same_bytes() {
    let c = credentials(B_TOKEN, B_KEY, B_ID);
    let e = "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q==";
    let sig = "dd6b9c95b495b3f7e2901bfbc76c664930ffdb96";
    assert_eq!(
        echo(&c, &query(sig, "1411443780", "437374425"), e).unwrap(),
        "5927782489442352469"
    );
    assert_eq!(
        echo(&c, &query(sig, "1411443780", "437374424"), e),
        Err(Refusal::BadSignature)
    );
    let q = query("74d92dfeb87ba7c714f89d98870ae5eb62dff26d", "1411525903", "461056294");
    let msg = open(&c, &q, B2).unwrap();
    assert_eq!(msg.len(), 281);
    assert!(msg.contains("<Content><![CDATA[test]]></Content>") && msg.contains("4363689963896700987"));

    let sealed = AesKey::parse(B_KEY)
        .unwrap()
        .encrypt(*b"1234567890123456", B3_MSG.as_bytes(), B_ID);
    assert_eq!(sealed, B3);
    let signed = signature(B_TOKEN, "1411525903", "461056294", &sealed);
    assert_eq!(signed, "407518b7649e86ef23978113f92d27afa9296533");
}

#[test]
fn go_workwx_c_verifies_opens_binary_prefixes_and_refuses_another_receive_id() {
    let c = credentials(
        "kjr2TKI8umCBfVF3wAHk8JiPwma5VBme",
        "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws",
        C_ID,
    );
    let e = "6KmUQuPVu7UhjyVqRdbo5SfcRqaHvbUlKSHFvBV2ZuR6TIlKsygcfeSd1GDplg1C5KSKr6UPHCaC/nIX3ZNt9w==";
    let q = |sig| query(sig, "1583940690", "VHh7ymSeb0jc4lSb");
    assert_eq!(
        echo(&c, &q("1ba3cb09c0d2c2b3ed6900d37f91a6efae6cb011"), e).unwrap(),
        "94966531020182955848408"
    );
    assert_eq!(
        echo(&c, &q("1ba3cb09c0d2c2b3ed6900d37f91a6efae6cb010"), e),
        Err(Refusal::BadSignature)
    );

    let c = credentials(C_TOKEN, C_KEY, C_ID);
    let q = query("f265ae551b1932727204c3d707628d01376a6940", "1583995625", "1584392382");
    assert_eq!(open(&c, &q, C2).unwrap(), C2_MSG);
    let q = query("a44d1b7dc3dc4b02edd99dc32afa6a26be7c92f6", "1583995625", "1584392382");
    assert_eq!(
        open(&c, &q, C3),
        Err(Refusal::WrongReceiveId("wwf181555a13a31443".into()))
    );
}

#[test]
fn skit_d_has_the_signature_that_it_was_sent_with() {
    let signed = signature("ovAkP0Tb", "1628737717", "1811081856", D);
    assert_eq!(signed, "8128e41a38892d814e4aa67753425da9dc8ec2b3");
}

#[test]
fn the_computed_edge_cases_g_open_for_their_receive_ids_only() {
    for (nonce, sig, id, msg, sealed) in [
        (
            "nonceA",
            "55dfe6b2a5fb063c4e13e82d6a915163c2ddcd2e",
            "wx5823bf96d3bd56c7",
            "abcdefghijklmnopqrstuvwxyz",
            "sKqRbbiSUnDhFHOvPjtUMZGyoR1r/GzKAbbgquGlaOgIlt+xQAi/JKk90aBApUWQUg5O+k5ZufIRKoqgtkAVwJKF1H3y/sfk7izzwSIp1tYTy01NHOGT9sTJ2jdv5sCT",
        ),
        (
            "nonceB",
            "ecb925e288bf33de4ac0083018f8a47350a43ccb",
            "wx5823bf96d3bd56c7",
            "你好，企业微信",
            "sKqRbbiSUnDhFHOvPjtUMU+tUutS20BbZPhoTM0oQcRoID30IknkmOz5zqJ6J92m9me07qvBe5x5kYJoVv3uSw==",
        ),
        (
            "nonceC",
            "68751bbdc0b4ff88ed4252be0c7c727133491f6c",
            "",
            r#"{"msgtype":"text","text":{"content":"hi"}}"#,
            "sKqRbbiSUnDhFHOvPjtUMeJBV1LIPhBLiS/+bDapFbYVhHdUs/DnbaknhbqfAh2BTpK5aJX7/p7a/MUQd1b1sA==",
        ),
        (
            "nonceD",
            "c15fe10c68d159fffa9f7f52bd2320bcda76ee7a",
            "wx5823bf96d3bd56c7",
            "",
            "sKqRbbiSUnDhFHOvPjtUMU5qwF3QTRQT35ZLQKNzkIFzNtEiqzhRA2bjiTq/aLNxdb+TySor6nIW5pigQ2NbKg==",
        ),
        (
            "nonceE",
            "0f987c36b8520a12e5beadc6f9a6d907bf2daef3",
            "ww4asffe99e54c0f4c",
            "<xml><SuiteId><![CDATA[ww4asffe99e54c0f4c]]></SuiteId><InfoType><![CDATA[suite_ticket]]></InfoType><TimeStamp>1403610513</TimeStamp><SuiteTicket><![CDATA[asdfasfdasdfasdf]]></SuiteTicket></xml>",
            "sKqRbbiSUnDhFHOvPjtUMaaogxpwTBv7Wl+jZyBBqkErFQ+KUsAHG3RDddmrDiHnVnjQ/TW1JhlLzTFWf5WBN7b3kZqFYF4sscpQOEHmqtKXha12wal828yxiCZ7ODYnYuxM/rq09lHrTgqE+Uj9+JI6JUIMfrFqupIS/Bbk5TADN+7KcRYhRo8dDxnY1j3m/xN5uS2MinNcfIze3nerji068eXP2QE5DgnMlsO4kH67spHc/Y5OlPtklGUuZ/BD7tIPWLzgFYYrFlVjGM+BrORI12XJKh0uk8Kq9mw2vnVtnFW5eNJTqLNni6br1es/Kwzwtpz8MT1AMFOnQomuDQ==",
        ),
    ] {
        let q = query(sig, "1700000000", nonce);
        assert_eq!(open(&credentials(A_TOKEN, A_KEY, id), &q, sealed).unwrap(), msg);
        let refused = open(&credentials(A_TOKEN, A_KEY, "other"), &q, sealed);
        assert_eq!(refused, Err(Refusal::WrongReceiveId(id.into())));
        let refused = open(&credentials(A_TOKEN, B_KEY, id), &q, sealed).unwrap_err();
        assert!(matches!(refused, Refusal::BadKey(_)), "{refused}");
    }
}

#[test]
fn what_never_reached_the_signature_is_malformed_and_secrets_stay_silent() {
    let c = credentials(A_TOKEN, A_KEY, A_ID);
    let raw = query("5c45", "1", "2");
    let q = Query::parse(&raw).unwrap();
    assert_eq!(c.verify_url(&q), Err(Refusal::Malformed("no_echostr")));
    assert_eq!(c.open(&q, b"hello"), Err(Refusal::Malformed("no_envelope")));
    let shown = format!("{c:?}");
    assert!(!shown.contains(A_TOKEN) && !shown.contains(A_KEY), "{shown}");
}
