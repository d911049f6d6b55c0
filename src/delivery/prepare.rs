//! From a job to a call that may go out: safety, look-ups, rendering, media. Changes nothing a person could see.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::call;
use super::judge::Kind;
use super::lookup::People;
use super::media::{Assets, Need, NoMedia, Use};
use super::screen::case;
use super::work::{Said, Work};
use super::{
    Api, Attempt, CallError, Delivery, FactPatch, Inner, Preparation, Prepared, Ready, compose, limiter, msgid,
};
use crate::clock;
use crate::content::{Bundle, Place, Rendered};
use crate::model::job::Say;
use crate::model::{Action, AppName, Ending, Job, Outcome, StoreTime};
use crate::settings::{AppKind, Corp};
use crate::wecom::api::{Attachment, Call, GetContact, MarkTag, SendKfMessage, SendKfOnEvent, SendMessage, StateTrans};
use crate::wecom::errcode::{self, Class};
use crate::wecom::id::CorpId;

/// A welcome goes without its media when its deadline is nearer than this.
const WITHOUT_MEDIA: Duration = Duration::from_secs(5);
/// Other messages wait for an upload so long in one go, and come again this much later.
const MEDIA_WAIT: Duration = Duration::from_secs(10);
const MEDIA_AGAIN: Duration = Duration::from_secs(5);
/// A welcome's failed upload is tried again after this.
const UPLOAD_AGAIN: Duration = Duration::from_secs(1);
/// A message without a deadline waits for media and bundles at most so long.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The text and attachments of a broadcast, ready for `add_msg_template`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroadcastMessage {
    /// ≤ 4000 B
    pub text: Option<String>,
    /// ≤ 9
    pub attachments: Vec<Attachment>,
}

impl Delivery {
    /// Makes a job ready to be called. Reads WeCom and uploads media, but puts nothing before a person; called
    /// again it does the same. Dropped midway nothing is lost but time.
    pub async fn prepare(&self, a: &Attempt<'_>) -> Preparation {
        let mut facts = FactPatch::default();
        let mut prepared = match self.screen(a) {
            Err(ending) => Prepared::End(ending),
            Ok(api) => self.inner.ready(&api, a, &mut facts).await.unwrap_or_else(|p| p),
        };
        if let (Prepared::Later { until, .. }, Some(deadline)) = (&mut prepared, a.job.deadline) {
            *until = deadline.min(*until);
        }
        Preparation { prepared, facts }
    }

    /// The message of a broadcast, rendered for everybody alike, with its media uploaded. `Err`: what to do with
    /// the chunk instead.
    pub async fn compose(&self, corp: &CorpId, received: &AppName, say: &Say) -> Result<BroadcastMessage, Prepared> {
        let rejected = |reason| Prepared::End(Ending::new(Outcome::Rejected, reason));
        let api = self.api(corp, received, AppKind::Contacts).map_err(rejected)?;
        if api.corp.safety.observe {
            return Err(end(Outcome::Cancelled, "observe"));
        }
        let now = self.inner.clock.now();
        let bundle = self.inner.bundle(corp, say).await.ok_or(Prepared::Later {
            until: now.plus(MEDIA_AGAIN),
            reason: "no_bundle",
        })?;
        let mut values = say.vars.clone();
        values.insert("corp.name".into(), api.corp.display_name.clone());
        let rendered = bundle
            .render(&say.template, say.part, Place::Broadcast, &values, say.at)
            .ok_or_else(|| rejected("no_template"))?;
        let needs = compose::needs(&rendered, Place::Broadcast);
        let until = Some(now.plus(MEDIA_WAIT));
        let (assets, missing) = self.inner.assets(corp, &api.app.name, &needs, until).await;
        if let Some(p) = missing.first().map(|(need, why)| media_trouble(need, why, now)) {
            return Err(p);
        }
        Ok(BroadcastMessage {
            attachments: compose::attachments(&rendered, &assets),
            text: rendered.text,
        })
    }
}

/// A rendered part with all that it takes to render it again the same way.
struct Spoken {
    job: Option<Job>,
    rendered: Rendered,
}

impl Inner {
    async fn bundle(&self, corp: &CorpId, say: &Say) -> Option<Arc<Bundle>> {
        self.bundles.get(corp, &say.bundle).await
    }

    async fn ready(
        self: &Arc<Self>,
        api: &Api<'_>,
        a: &Attempt<'_>,
        facts: &mut FactPatch,
    ) -> Result<Prepared, Prepared> {
        let case = case(a);
        let (mut job, mut said, mut notes) = (None, None, Vec::new());
        let (path, work) = match &a.job.action {
            Action::MarkTags {
                member,
                contact,
                add,
                remove,
            } => {
                let work = Work::Tags {
                    member: member.clone(),
                    contact: contact.clone(),
                    add: add.clone(),
                    remove: remove.clone(),
                };
                (MarkTag::PATH, work)
            }
            Action::KfPool { account, contact } => {
                let (account, contact) = (account.clone(), contact.clone());
                (StateTrans::PATH, Work::Pool { account, contact })
            }
            Action::ReadContact { contact } => {
                let job = Box::new(a.job.clone());
                let contact = contact.clone();
                (GetContact::PATH, Work::Read { job, contact })
            }
            Action::Welcome { say, code, .. } => {
                let s = self.speak(api.corp, a, say, Place::Welcome, facts).await?;
                let needs = compose::needs(&s.rendered, Place::Welcome);
                let until = a
                    .job
                    .deadline
                    .map_or(a.now.plus(MEDIA_WAIT), |d| d.minus(WITHOUT_MEDIA));
                let (assets, missing) = self.assets_by(&a.job.corp, &api.app.name, &needs, until).await;
                notes.extend(missing.iter().map(|(n, _)| format!("without:{}", n.file.name)));
                job = s.job;
                let said = Said::new(s.rendered, needs, assets);
                let work = Work::Welcome {
                    code: code.clone(),
                    said,
                };
                (crate::wecom::api::Welcome::PATH, work)
            }
            Action::KfEventMessage {
                account,
                contact,
                code,
                say,
            } => {
                let s = self.speak(api.corp, a, say, Place::KfEvent, facts).await?;
                job = s.job;
                let work = Work::KfEvent {
                    account: account.clone(),
                    contact: contact.clone(),
                    code: code.clone(),
                    msgid: msgid::encode(&self.generation(), a.partition, a.id),
                    rendered: s.rendered,
                };
                (SendKfOnEvent::PATH, work)
            }
            Action::KfMessage { account, contact, say } => {
                let s = self.speak(api.corp, a, say, Place::Kf, facts).await?;
                said = Some(hash(&s.rendered, account.as_str()));
                let spoken = self.with_media(a, &api.app.name, s, Place::Kf, &mut notes).await?;
                job = spoken.1;
                let work = Work::Kf {
                    account: account.clone(),
                    contact: contact.clone(),
                    msgid: msgid::encode(&self.generation(), a.partition, a.id),
                    said: spoken.0,
                };
                (SendKfMessage::PATH, work)
            }
            Action::AppMessage { member, say } => {
                let Some(agent) = api.app.agent_id else {
                    return Err(end(Outcome::Rejected, "no_agent_id"));
                };
                let s = self.speak(api.corp, a, say, Place::App, facts).await?;
                said = Some(hash(&s.rendered, &format!("app/{}", api.app.name)));
                let spoken = self.with_media(a, &api.app.name, s, Place::App, &mut notes).await?;
                job = spoken.1;
                let work = Work::App {
                    agent,
                    member: member.clone(),
                    said: spoken.0,
                };
                (SendMessage::PATH, work)
            }
            Action::KfPull { .. } | Action::BroadcastChunk { .. } => {
                return Err(end(Outcome::Rejected, "wrong_room"));
            }
        };
        let member = People::of(&a.job.action).member.filter(|_| case.kind == Kind::App);
        Ok(Prepared::Ready(Box::new(Ready {
            job,
            asks: vec![limiter::ask(&api.app.name, path, member)],
            said,
            call: call::Prepared {
                corp: a.job.corp.clone(),
                app: api.app.name.clone(),
                path,
                word: a.job.action.word(),
                case,
                notes,
                said,
                work,
            },
        })))
    }

    /// Renders what a job says. The first time the facts are looked up and frozen into the job; afterwards the
    /// same values give the same bytes.
    async fn speak(
        self: &Arc<Self>,
        corp: &Corp,
        a: &Attempt<'_>,
        say: &Say,
        place: Place,
        facts: &mut FactPatch,
    ) -> Result<Spoken, Prepared> {
        let Some(bundle) = self.bundle(&a.job.corp, say).await else {
            return Err(patient(a, "no_bundle").unwrap_or_else(|| end(Outcome::Rejected, "no_bundle")));
        };
        if !bundle.templates.contains_key(&say.template) {
            return Err(end(Outcome::Rejected, "no_template"));
        }
        let mut values = say.vars.clone();
        let mut job = None;
        if !say.frozen {
            self.given(corp, a, &bundle, &mut values);
            let unknown = bundle.facts(&say.template, say.part, &values);
            if !unknown.is_empty() {
                facts.merge(self.look_up(a.job, a.doc, &unknown, &mut values).await);
            }
            let mut frozen = a.job.clone();
            if let Some(say) = frozen.action.say_mut() {
                say.vars.clone_from(&values);
                say.frozen = true;
            }
            job = Some(frozen);
        }
        let rendered = bundle.render(&say.template, say.part, place, &values, say.at);
        let rendered = rendered.ok_or_else(|| end(Outcome::Rejected, "no_template"))?;
        Ok(Spoken { job, rendered })
    }

    /// Values that need no look-up.
    fn given(&self, corp: &Corp, a: &Attempt<'_>, bundle: &Bundle, values: &mut BTreeMap<String, String>) {
        let mut put = |name: &str, value: &str| {
            values.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        };
        put("corp.name", &corp.display_name);
        if let Some(member) = People::of(&a.job.action).member {
            put("member.userid", member.as_str());
            if let Some(name) = bundle.member_name(member.as_str()) {
                put("member.name", name);
            }
        }
    }

    /// The media of a welcome, which cannot come again later: a failed upload is tried again until then.
    async fn assets_by(
        self: &Arc<Self>,
        corp: &CorpId,
        app: &AppName,
        needs: &[Need],
        until: StoreTime,
    ) -> (Assets, Vec<(Need, NoMedia)>) {
        loop {
            let (assets, missing) = self.assets(corp, app, needs, Some(until)).await;
            let now = self.clock.now();
            let passes =
                |(need, why): &(Need, NoMedia)| matches!(media_trouble(need, why, now), Prepared::Later { .. });
            if now.plus(UPLOAD_AGAIN) >= until || !missing.iter().any(passes) {
                return (assets, missing);
            }
            clock::sleep(UPLOAD_AGAIN).await;
        }
    }

    /// The media of an answer: it waits for them, because it is nothing without them; only a link's picture may
    /// be missing.
    async fn with_media(
        self: &Arc<Self>,
        a: &Attempt<'_>,
        app: &AppName,
        spoken: Spoken,
        place: Place,
        notes: &mut Vec<String>,
    ) -> Result<(Said, Option<Job>), Prepared> {
        let needs = compose::needs(&spoken.rendered, place);
        let until = Some(a.now.plus(MEDIA_WAIT));
        let (assets, missing) = self.assets(&a.job.corp, app, &needs, until).await;
        for (need, why) in &missing {
            let trouble = media_trouble(need, why, a.now);
            match trouble {
                Prepared::End(_) if need.used == Use::Picture => notes.push(format!("without:{}", need.file.name)),
                Prepared::Later { .. } if patient(a, "media_not_ready").is_none() => {
                    return Err(end(Outcome::Dead, "media_not_ready"));
                }
                other => return Err(other),
            }
        }
        Ok((Said::new(spoken.rendered, needs, assets), spoken.job))
    }
}

fn end(outcome: Outcome, reason: &'static str) -> Prepared {
    Prepared::End(Ending::new(outcome, reason))
}

/// Wait a little, as long as the job has a deadline that ends it, or is young.
fn patient(a: &Attempt<'_>, reason: &'static str) -> Option<Prepared> {
    (a.job.deadline.is_some() || a.now.since(a.job.accepted) < PATIENCE).then(|| Prepared::Later {
        until: a.now.plus(MEDIA_AGAIN),
        reason,
    })
}

/// What a file without an id means for a message that cannot go without it.
fn media_trouble(need: &Need, why: &NoMedia, now: StoreTime) -> Prepared {
    let rejected = |reason: std::borrow::Cow<'static, str>| {
        let mut ending = Ending::new(Outcome::Rejected, reason);
        ending.notes.push(format!("media:{}", need.file.name));
        ending
    };
    let until = now.plus(MEDIA_AGAIN);
    let reason = "media_not_ready";
    match why {
        NoMedia::Missing => Prepared::End(rejected("media_missing".into())),
        NoMedia::Failed(CallError::Refused { errcode, until: None })
            if errcode::of(*errcode).class != Class::Backoff =>
        {
            Prepared::End(rejected(errcode::of(*errcode).reason).with_errcode(*errcode))
        }
        NoMedia::Failed(CallError::Later { until, .. } | CallError::Refused { until: Some(until), .. }) => {
            Prepared::Later { until: *until, reason }
        }
        NoMedia::Failed(_) => Prepared::Later { until, reason },
    }
}

/// 64 bits of what is said and where. Media count by content, not by WeCom's changing ids.
fn hash(rendered: &Rendered, place: &str) -> u64 {
    let mut h = Sha256::new();
    h.update(place.as_bytes());
    h.update([0]);
    h.update(rendered.text.as_deref().unwrap_or_default().as_bytes());
    for a in &rendered.attachments {
        h.update([1]);
        h.update(describe(a).as_bytes());
    }
    if let Some(menu) = &rendered.menu {
        h.update([2]);
        h.update(format!("{menu:?}").as_bytes());
    }
    let digest = h.finalize();
    digest.iter().take(8).fold(0, |n, b| (n << 8) | u64::from(*b))
}

fn describe(a: &crate::content::RenderedAttachment) -> String {
    use crate::content::RenderedAttachment::{Link, Media, Miniprogram};
    match a {
        Media(f) => format!("{:?}\0{}", f.kind, f.hash),
        Link { title, desc, url, .. } => format!("{title}\0{desc}\0{url}"),
        Miniprogram { appid, page, title, .. } => format!("{appid}\0{page}\0{title}"),
    }
}
