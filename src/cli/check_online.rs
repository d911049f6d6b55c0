//! `check --online`: asks WeCom whether it will let the gateway work, and names the admin page where it will not.
//!
//! Only reading calls, each through [`Delivery`]. Its store is a file of its own in a temporary folder, so the
//! gateway's store, its limits and its notes stay as they are, and it works while the store is away. What no
//! reading call tells is not asked: the callback URL (WeCom asks us), the broadcast rule (no API reads it).

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::admin_page;
use crate::app::{BundleShelf, new_metrics};
use crate::clock::StoreClock;
use crate::delivery::{Api, CallError, Delivery};
use crate::model::text::{Lang, Text};
use crate::settings::{App, AppKind, Corp, Settings, StoreSettings, StoreUrl};
use crate::store::{self, Role};
use crate::wecom::api::{AccountList, Accounts, GetCorpTagList, Member, ServicerList, UserGet};
use crate::wecom::errcode::{self, Class, Reach};
use crate::wecom::id::{OpenKfId, UserId};

/// A difference of clocks that somebody should look at: WeCom's `Date` counts whole seconds, answers take a moment.
const SKEW_MS: i64 = 5000;
/// So many kf accounts are asked for on one page; WeCom's most.
const PAGE: u32 = 100;

/// How a question to WeCom came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// Works; a person should know.
    Notice,
    /// Will not work.
    Bad,
}

/// One answer.
#[derive(Debug)]
pub(super) struct Finding {
    /// How it came out.
    pub level: Level,
    corp: String,
    app: Option<String>,
    check: &'static str,
    errcode: Option<i64>,
    what: Text,
    remedy: Option<Text>,
}

impl Finding {
    /// One line for people, or two.
    pub fn lines(&self, lang: Lang) -> Vec<String> {
        let mark = match self.level {
            Level::Good => "✓",
            Level::Notice => "!",
            Level::Bad => "✗",
        };
        let app = self.app.as_ref().map(|a| format!("/{a}")).unwrap_or_default();
        let mut lines = vec![format!("{mark} {}{app}  {}", self.corp, self.what.say(lang))];
        lines.extend(self.remedy.as_ref().map(|r| format!("    → {}", r.say(lang))));
        lines
    }

    /// One object for machines.
    pub fn json(&self, lang: Lang) -> Value {
        json!({
            "corp": self.corp,
            "app": self.app,
            "check": self.check,
            "level": match self.level { Level::Good => "ok", Level::Notice => "notice", Level::Bad => "error" },
            "errcode": self.errcode,
            "what": self.what.say(lang),
            "remedy": self.remedy.as_ref().map(|r| r.say(lang)),
        })
    }
}

/// Asks for every corp and app. The error says why nothing could be asked at all.
pub(super) async fn ask(settings: Settings) -> Result<Vec<Finding>, String> {
    let folder = super::scratch::Folder::new()?;
    let own = StoreSettings {
        url: StoreUrl::Sqlite(folder.path().join("check.db")),
        spool: None,
        ..settings.store.clone()
    };
    let store = store::open(&own, Role::Serve).await.map_err(|e| e.to_string())?;
    let settings = Arc::new(settings);
    let delivery = Delivery::new(
        Arc::clone(&settings),
        store,
        Arc::new(BundleShelf::of(&settings, HashMap::new())),
        new_metrics().map_err(|e| e.to_string())?,
        StoreClock::new(crate::clock::wall()),
        "check",
    );
    let mut findings = Vec::new();
    for corp in &settings.corps {
        let mut asking = Asking {
            delivery: &delivery,
            corp,
            findings: Vec::new(),
        };
        asking.corp().await;
        findings.append(&mut asking.findings);
    }
    Ok(findings)
}

/// One corp being asked about.
struct Asking<'a> {
    delivery: &'a Delivery,
    corp: &'a Corp,
    findings: Vec<Finding>,
}

/// The rest would only repeat this refusal.
struct Stop;

impl Asking<'_> {
    async fn corp(&mut self) {
        for app in &self.corp.apps {
            if self.app(app).await.is_err() {
                break;
            }
        }
        self.clock();
    }

    /// `Err`: the refusal concerns the whole corp.
    async fn app(&mut self, app: &App) -> Result<(), Stop> {
        let callable = [AppKind::Contacts, AppKind::Kf, AppKind::Agent];
        let kinds: Vec<AppKind> = callable.into_iter().filter(|k| app.kind.contains(k)).collect();
        if app.secret.is_none() || kinds.is_empty() {
            let what = Text::new(
                "没有可查的接口（只接收回调）",
                "nothing to ask (only receives callbacks)",
            );
            self.note(app, Level::Good, "token", what, None);
            return Ok(());
        }
        for kind in kinds {
            let Ok(api) = self.delivery.api(&self.corp.corp_id, &app.name, kind) else {
                continue;
            };
            let asked = match kind {
                AppKind::Contacts => self.contacts(&api).await,
                AppKind::Kf => self.kf(&api).await,
                AppKind::Agent => self.agent(&api).await,
                AppKind::Bot => Ok(()),
            };
            match asked {
                Ok(()) => {}
                Err(Reach::Tenant) => return Err(Stop),
                // The secret or the network: the app's other questions would end the same way.
                Err(_) => break,
            }
        }
        Ok(())
    }

    async fn contacts(&mut self, api: &Api<'_>) -> Result<(), Reach> {
        let ask = GetCorpTagList {};
        match api.call(&ask).await {
            Ok(_) => self.note(api.app, Level::Good, "contacts", allowed("contacts"), None),
            Err(e) => self.failed(api, "contacts", &e, admin_page::contacts)?,
        }
        Ok(())
    }

    async fn agent(&mut self, api: &Api<'_>) -> Result<(), Reach> {
        // A member who surely does not exist: 60111 means that token and IP are good and the API answers.
        let nobody = UserId::parse("wecom-gateway-check").map_err(|_| Reach::Object)?;
        let good = allowed("agent");
        match api.call(&UserGet { userid: nobody }).await {
            Ok(Member { .. }) => self.note(api.app, Level::Good, "agent", good, None),
            Err(CallError::Refused { errcode, .. }) if harmless(errcode) => {
                self.note(api.app, Level::Good, "agent", good, None);
            }
            Err(e) => return self.failed(api, "agent", &e, admin_page::remedy),
        }
        Ok(())
    }

    async fn kf(&mut self, api: &Api<'_>) -> Result<(), Reach> {
        let mut all = Accounts::default();
        let mut good = Some(allowed("kf"));
        loop {
            let offset = u32::try_from(all.account_list.len()).unwrap_or(u32::MAX);
            let ask = AccountList { offset, limit: PAGE };
            let page = match api.call(&ask).await {
                Ok(page) => page.account_list,
                Err(e) => return self.failed(api, "kf", &e, admin_page::kf),
            };
            let last = page.len() < PAGE as usize;
            all.account_list.extend(page);
            if let Some(good) = good.take() {
                self.note(api.app, Level::Good, "kf", good, None);
            }
            if last {
                break;
            }
        }
        self.accounts(api, &all).await
    }

    /// Each account that we are to serve: known, ours to manage, somebody on duty.
    async fn accounts(&mut self, api: &Api<'_>, all: &Accounts) -> Result<(), Reach> {
        let named = &self.corp.kf.accounts;
        for (short, id) in named {
            if !all.account_list.iter().any(|a| a.open_kfid == *id) {
                let what = Text::new(
                    format!("客服账号 {short}（{id}）不存在，或没有授权给这个应用"),
                    format!("kf account {short} ({id}) does not exist, or this app may not see it"),
                );
                self.note(api.app, Level::Bad, "kf_account", what, Some(admin_page::remedy(60252)));
            }
        }
        let wanted = |id: &OpenKfId| named.is_empty() || named.values().any(|n| n == id);
        let mut any = false;
        for account in all.account_list.iter().filter(|a| wanted(&a.open_kfid)) {
            any = true;
            let (name, id) = (&account.name, &account.open_kfid);
            if !account.manage_privilege {
                let what = Text::new(
                    format!("客服账号 {name}（{id}）没有分配给这个应用，不能收发消息"),
                    format!("kf account {name} ({id}) is not handed to this app: it can neither pull nor send"),
                );
                self.note(api.app, Level::Bad, "kf_account", what, Some(admin_page::remedy(48007)));
                continue;
            }
            let ask = ServicerList { open_kfid: id.clone() };
            match api.call(&ask).await {
                Ok(servicers) => {
                    let duty = servicers.servicer_list.iter().filter(|s| s.status == Some(0)).count();
                    self.on_duty(api.app, &format!("{name} ({id})"), duty);
                }
                Err(e) => self.failed(api, "kf_account", &e, admin_page::kf)?,
            }
        }
        if !any && named.is_empty() {
            let what = Text::new("没有任何客服账号", "there is no kf account");
            self.note(api.app, Level::Notice, "kf_account", what, Some(admin_page::kf(48002)));
        }
        Ok(())
    }

    fn on_duty(&mut self, app: &App, account: &str, duty: usize) {
        if duty > 0 {
            let what = Text::new(
                format!("客服账号 {account}：{duty} 位接待人员在岗"),
                format!("kf account {account}: {duty} on duty"),
            );
            return self.note(app, Level::Good, "kf_account", what, None);
        }
        let what = Text::new(
            format!("客服账号 {account}：没有人在岗，答不了的消息没有人接"),
            format!("kf account {account}: nobody is on duty, so nobody takes what no rule answers"),
        );
        let remedy = Text::new(
            "应用管理 → 微信客服 → 客服账号 → 接待人员：添加，或让接待人员上班",
            "应用管理 → 微信客服 → the account → 接待人员: add some, or let them go on duty",
        );
        self.note(app, Level::Notice, "kf_account", what, Some(remedy));
    }

    fn clock(&mut self) {
        let Some(ahead) = self.delivery.clock_ahead_ms() else {
            return;
        };
        let far = ahead.abs() > SKEW_MS;
        let seconds = ahead.abs() / 1000;
        let (zh, en) = if ahead >= 0 {
            ("快", "ahead of")
        } else {
            ("慢", "behind")
        };
        let what = Text::new(
            format!("这台主机的时钟比企业微信{zh}约 {seconds} 秒"),
            format!("this host's clock is about {seconds} s {en} WeCom's"),
        );
        let remedy = Text::new(
            "校准时钟（timedatectl set-ntp true）；用 Redis 时，Redis 那台主机也要校准",
            "Set the clock (timedatectl set-ntp true); with Redis, the Redis host's too",
        );
        self.findings.push(Finding {
            level: if far { Level::Notice } else { Level::Good },
            corp: self.corp.name.to_string(),
            app: None,
            check: "clock",
            errcode: None,
            what,
            remedy: far.then_some(remedy),
        });
    }

    /// Notes a failure; `Err` when further questions of this app, or of the corp, would end the same way.
    fn failed(
        &mut self,
        api: &Api<'_>,
        check: &'static str,
        error: &CallError,
        remedy: fn(i64) -> Text,
    ) -> Result<(), Reach> {
        let CallError::Refused { errcode, .. } = error else {
            let base = &self.corp.api_base;
            let Text { zh, en } = topic(check);
            let what = Text::new(
                format!("{zh}：没有得到回答（{error}）"),
                format!("{en}: no answer ({error})"),
            );
            let remedy = Text::new(
                format!("检查这台主机能否访问 {base}：网络、防火墙、代理、域名解析"),
                format!("See that this host can reach {base}: network, firewall, proxy, DNS"),
            );
            self.note(api.app, Level::Bad, check, what, Some(remedy));
            return Err(Reach::App);
        };
        let meaning = errcode::of(*errcode);
        let check = match (*errcode, meaning.class) {
            (60020, _) => "trusted_ip",
            (40013 | 40091, _) | (_, Class::RefreshToken) => "token",
            _ => check,
        };
        let Text { zh, en } = topic(check);
        let what = Text::new(
            format!("{zh}：企业微信拒绝，errcode {errcode}（{}）", meaning.reason),
            format!("{en}: WeCom refuses with errcode {errcode} ({})", meaning.reason),
        );
        self.note(api.app, Level::Bad, check, what, Some(remedy(*errcode)));
        if let Some(last) = self.findings.last_mut() {
            last.errcode = Some(*errcode);
        }
        match meaning.class {
            Class::Config(Reach::Tenant) => Err(Reach::Tenant),
            Class::Config(Reach::App) | Class::RefreshToken => Err(Reach::App),
            Class::Config(Reach::Call | Reach::Object)
            | Class::Backoff
            | Class::Freeze
            | Class::Expired
            | Class::Reject
            | Class::NotAFriend => Ok(()),
        }
    }

    fn note(&mut self, app: &App, level: Level, check: &'static str, what: Text, remedy: Option<Text>) {
        self.findings.push(Finding {
            level,
            corp: self.corp.name.to_string(),
            app: Some(app.name.to_string()),
            check,
            errcode: None,
            what,
            remedy,
        });
    }
}

/// What a check is about, for people.
fn topic(check: &str) -> Text {
    match check {
        "token" => Text::new("access_token", "access token"),
        "trusted_ip" => Text::new("企业可信IP", "企业可信IP (trusted IP)"),
        "contacts" => Text::new("客户联系", "客户联系 (customers)"),
        "agent" => Text::new("成员资料", "members"),
        "kf" => Text::new("微信客服", "微信客服 (customer service)"),
        _ => Text::new("客服账号", "kf account"),
    }
}

fn allowed(check: &str) -> Text {
    let Text { zh, en } = topic(check);
    Text::new(format!("{zh}：可以调用"), format!("{en}: may be called"))
}

/// Refusals that only say that the made-up member is none of this app's.
fn harmless(errcode: i64) -> bool {
    matches!(errcode, 60111 | 60011 | 60021 | 50002 | 40003)
}
