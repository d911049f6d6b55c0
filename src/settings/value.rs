//! What the texts of the settings mean: durations, hours, names, addresses, keys. Pure, each with its remedy.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::section::Wrong;
use super::{Durability, StoreUrl, Unmatched};

/// Longest name of a corp, app or account: they stand in URLs and metrics. Taste.
const NAME_MAX: usize = 64;

/// Longest callback token (callbacks.md §1.1).
const TOKEN_MAX: usize = 32;

/// Length of an EncodingAESKey (callbacks.md §1.1).
const AES_KEY_LEN: usize = 43;

/// `"500ms"`, `"60s"`, `"10m"`, `"24h"`, `"7d"`: more than nothing, at most 90 days.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let ms = number
        .parse::<u64>()
        .ok()
        .zip(unit_ms)
        .and_then(|(n, unit_ms)| n.checked_mul(unit_ms));
    match ms {
        Some(ms) if (1..=90 * 86_400_000).contains(&ms) => Ok(Duration::from_millis(ms)),
        Some(_) => Err(Wrong::new(
            ["时长须大于 0 且不超过 90 天", "must be more than 0 and at most 90 days"],
            ["例如 \"10m\"", "For example \"10m\""],
        )),
        None => Err(Wrong::new(
            ["不是时长", "is not a duration"],
            [
                "写数字加单位：\"500ms\"、\"60s\"、\"10m\"、\"24h\"、\"7d\"",
                "Write a number and a unit: \"500ms\", \"60s\", \"10m\", \"24h\", \"7d\"",
            ],
        )),
    }
}

/// `"21:00-09:00"` as minutes of the day; may cross midnight; `24:00` may end it.
pub(super) fn hours(text: &str) -> Result<(u16, u16), Wrong> {
    let wrong = || {
        Wrong::new(
            ["不是时间段", "is not a span of hours"],
            [
                "按北京时间写成 \"21:00-09:00\"，起止不能相同",
                "Write \"21:00-09:00\" (China time), with two different times",
            ],
        )
    };
    let clock = |t: &str| -> Option<u16> {
        let (h, m) = t.trim().split_once(':')?;
        if h.is_empty() || h.len() > 2 || m.len() != 2 || !format!("{h}{m}").bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (h, m) = (h.parse::<u16>().ok()?, m.parse::<u16>().ok()?);
        (m < 60 && h * 60 + m <= 1440).then_some(h * 60 + m)
    };
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    match (clock(from), clock(to)) {
        (Some(from), Some(to)) if from < 1440 && from != to => Ok((from, to)),
        _ => Err(wrong()),
    }
}

/// A name of ours: `[a-z0-9-_]`, 1 to 64.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    let ours = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(ours) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        [
            "名称只能用小写字母、数字、- 和 _，1 到 64 个字符",
            "a name has 1 to 64 small letters, digits, - or _",
        ],
        [
            "名称会出现在回调 URL 和监控指标里；给客户看的名字写在 display_name",
            "It stands in URLs and metrics; what customers see is display_name",
        ],
    ))
}

/// Where to listen.
pub(super) fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    text.trim().parse().map_err(|_| {
        Wrong::new(
            ["不是监听地址", "is not an address to listen on"],
            [
                "写 IP 加端口：\"127.0.0.1:8080\"，对外监听用 \"0.0.0.0:8080\"",
                "Write an IP address and a port: \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for all interfaces",
            ],
        )
    })
}

/// WeCom's address without a slash at the end.
pub(super) fn api_base(text: &str) -> Result<String, Wrong> {
    let base = text.trim().trim_end_matches('/');
    let host = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    let plain = |h: &str| !h.is_empty() && !h.starts_with([':', '/']) && !h.contains(['?', '#', '@', ' ']);
    match host {
        Some(h) if plain(h) && !h.ends_with("/cgi-bin") => Ok(base.to_owned()),
        _ => Err(Wrong::new(
            ["不是 API 地址", "is not an API address"],
            [
                "写 \"https://qyapi.weixin.qq.com\"：http 或 https 开头，不带 /cgi-bin 和参数",
                "Write \"https://qyapi.weixin.qq.com\": http or https, without /cgi-bin and without a query",
            ],
        )),
    }
}

/// `store.url`. The findings never show it: it may hold a password.
pub(super) fn store_url(text: &str) -> Result<StoreUrl, Wrong> {
    let text = text.trim();
    let forms = [
        "写 \"sqlite:data/gateway.db\"、\"redis://主机:6379/0\" 或 \"rediss://…\"",
        "Write \"sqlite:data/gateway.db\", \"redis://HOST:6379/0\" or \"rediss://…\"",
    ];
    if let Some(path) = text.strip_prefix("sqlite:") {
        let file = !path.is_empty() && !path.starts_with("//") && !path.contains(":memory:");
        return if file {
            Ok(StoreUrl::Sqlite(PathBuf::from(path)))
        } else {
            Err(Wrong::new(
                ["sqlite: 后面要写文件路径", "sqlite: wants the path of a file"],
                forms,
            ))
        };
    }
    if text.starts_with("redis+cluster://") {
        return Err(Wrong::new(
            [
                "此版本还不支持 Redis Cluster",
                "Redis Cluster is not yet in this version",
            ],
            [
                "先用单机 Redis：\"redis://主机:6379/0\"（键已按分区打标签，将来可直接迁移）",
                "Use a single Redis for now: \"redis://HOST:6379/0\" (keys carry their slot tags already)",
            ],
        ));
    }
    if text.starts_with("redis://") || text.starts_with("rediss://") {
        return match redis::parse_redis_url(text).filter(|url| url.has_host()) {
            Some(_) => Ok(StoreUrl::Redis(SecretString::from(text))),
            None => Err(Wrong::new(
                ["不是 Redis 地址", "is not a Redis URL"],
                [
                    "写 \"redis://[用户:密码@]主机:6379/0\"；密码里的特殊字符用 %XX",
                    "Write \"redis://[user:password@]HOST:6379/0\"; special letters of a password as %XX",
                ],
            )),
        };
    }
    Err(Wrong::new(["不认识的存储地址", "is no store that we know"], forms))
}

/// `store.durability`.
pub(super) fn durability(text: &str) -> Result<Durability, Wrong> {
    match text {
        "os" => Ok(Durability::Os),
        "fsync" => Ok(Durability::Fsync),
        "replica" => Ok(Durability::Replica),
        "memory" => Ok(Durability::Memory),
        _ => Err(one_of(text, &["os", "fsync", "replica", "memory"])),
    }
}

/// `kf.unmatched`.
pub(super) fn unmatched(text: &str) -> Result<Unmatched, Wrong> {
    match text {
        "pool" => Ok(Unmatched::Pool),
        "silent" => Ok(Unmatched::Silent),
        _ => Err(one_of(text, &["pool", "silent"])),
    }
}

/// `safety.mode`: true for `observe`.
pub(super) fn observe(text: &str) -> Result<bool, Wrong> {
    match text {
        "live" => Ok(false),
        "observe" => Ok(true),
        _ => Err(one_of(text, &["live", "observe"])),
    }
}

/// The finding for a word that is none of `words`, with the nearest one.
pub(super) fn one_of(word: &str, words: &[&str]) -> Wrong {
    let near = crate::model::diagnostic::nearest(word, words.iter().copied());
    let (zh, en) = near.map_or_else(Default::default, |n| {
        (format!("是不是想写 \"{n}\"？"), format!("Did you mean \"{n}\"? "))
    });
    Wrong::new(
        ["不认识的值", "is no word that we know"],
        [
            &format!("{zh}可选：{}", words.join("、")),
            &format!("{en}Known words: {}", words.join(", ")),
        ],
    )
}

/// Checks a callback token; says its length, never its letters.
pub(super) fn token(text: &str) -> Result<(), Wrong> {
    if (1..=TOKEN_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let n = text.chars().count();
    Err(Wrong::new(
        [
            &format!("Token 应为 1 到 32 个字母或数字（现有 {n} 个字符）"),
            &format!("a Token has 1 to 32 letters and digits (this one has {n} characters)"),
        ],
        [
            "从企业微信后台“接收消息服务器配置”原样复制 Token",
            "Copy the Token from WeCom's page 接收消息服务器配置 as it stands",
        ],
    ))
}

/// Checks an EncodingAESKey; says its length, never its letters.
pub(super) fn aes_key(text: &str) -> Result<(), Wrong> {
    if text.len() == AES_KEY_LEN && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let n = text.chars().count();
    let zh = if n == AES_KEY_LEN {
        "，其中有别的字符"
    } else {
        ""
    };
    let en = if n == AES_KEY_LEN { ", some of them others" } else { "" };
    Err(Wrong::new(
        [
            &format!("EncodingAESKey 应为 43 个字母和数字（现有 {n} 个字符{zh}）"),
            &format!("an EncodingAESKey has 43 letters and digits (this one has {n} characters{en})"),
        ],
        [
            "从企业微信后台原样复制，末尾不要加 =",
            "Copy it from WeCom's page as it stands, without = at its end",
        ],
    ))
}

/// Checks an app's secret, which goes into a URL.
pub(super) fn app_secret(text: &str) -> Result<(), Wrong> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Wrong::new(
            ["Secret 里有空格或控制字符", "has white space or control characters"],
            [
                "从企业微信后台的应用详情页重新复制 Secret",
                "Copy the Secret again from the app's page",
            ],
        ));
    }
    Ok(())
}
