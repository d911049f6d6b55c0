//! What a person changes when WeCom refuses: one sentence for each errcode that a setting can cure, with the page
//! of the admin console. The same pages as in `docs/connect.md`, whose steps are named.

use crate::model::text::Text;

/// The remedy for a refusal.
pub(super) fn remedy(errcode: i64) -> Text {
    let (zh, en) = match errcode {
        40001 | 40091 => (
            "Secret 不对或已重置：应用管理 → 应用 → 自建 → 该应用 → Secret，改好 secret 所指的值（接入第 2 步）。不要反复重试：多次出错会封 IP 一小时",
            "The secret is wrong or was reset: 应用管理 → 应用 → 自建 → the app → Secret, then set what `secret` names \
             (connect, step 2). Do not try again and again: WeCom bans the IP for an hour",
        ),
        40013 => (
            "corp_id 不对：我的企业 → 企业信息 → 企业ID（接入第 1 步）",
            "corp_id is wrong: 我的企业 → 企业信息 → 企业ID (connect, step 1)",
        ),
        60020 => (
            "这台主机的出口 IP 不在名单里：应用管理 → 应用 → 自建 → 该应用 → 开发者接口 → 企业可信IP，填好约一分钟后生效（接入第 5 步）",
            "This host's public IP is not on the list: 应用管理 → 应用 → 自建 → the app → 开发者接口 → 企业可信IP; it takes \
             about a minute (connect, step 5)",
        ),
        60011 | 60021 | 60030 | 50002 => (
            "不在应用的可见范围：应用管理 → 应用 → 自建 → 该应用 → 可见范围，加入所有服务客户的成员和接待人员（接入第 2 步）",
            "Out of the app's range: 应用管理 → 应用 → 自建 → the app → 可见范围, add every member who serves customers and \
             every receptionist (connect, step 2)",
        ),
        50003 | 50006 | 60031 => (
            "应用已停用：应用管理 → 应用 → 自建 → 该应用 → 启用",
            "The app is disabled: 应用管理 → 应用 → 自建 → the app → 启用",
        ),
        45009 | 45033 => ("调用太频繁，过一会儿再试", "Too many calls: try again in a while"),
        48007 | 60252 => (
            "客服账号没有分配给这个应用：应用管理 → 微信客服 → API → 可调用接口的应用 → 分配客服账号（接入第 7 步）",
            "The kf account is not handed to this app: 应用管理 → 微信客服 → API → 可调用接口的应用 → its accounts \
             (connect, step 7)",
        ),
        _ => (
            "按 errcode 查企业微信的全局错误码，必要时联系企业微信客服",
            "Look the errcode up in WeCom's list of error codes",
        ),
    };
    Text::new(zh, en)
}

/// The remedy when an app may not call the APIs of 客户联系.
pub(super) fn contacts(errcode: i64) -> Text {
    match errcode {
        48001 | 48002 | 60011 | 84074 => Text::new(
            "客户与上下游 → 客户联系 → 客户 → API → 可调用接口的应用：加入这个应用；再看 权限配置 → 使用范围（接入第 6 步）",
            "客户与上下游 → 客户联系 → 客户 → API → 可调用接口的应用: add this app; then see 权限配置 → 使用范围 (connect, \
             step 6)",
        ),
        other => remedy(other),
    }
}

/// The remedy when an app may not call the APIs of 微信客服.
pub(super) fn kf(errcode: i64) -> Text {
    match errcode {
        48001 | 48002 | 48003 | 60011 => Text::new(
            "应用管理 → 微信客服 → API → 可调用接口的应用：加入这个应用，并把客服账号分配给它（接入第 7 步）",
            "应用管理 → 微信客服 → API → 可调用接口的应用: add this app and hand it the kf accounts (connect, step 7)",
        ),
        other => remedy(other),
    }
}
