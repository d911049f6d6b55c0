//! What WeCom posts: the decrypted XML of each event, and to which apps it goes.

use super::corp::{App, Corp, Kind};

/// One callback to one app.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    pub app: String,
    pub xml: String,
}

/// Writes the elements of a callback; texts as CDATA, numbers bare, as WeCom does.
pub(super) struct Xml(String);

impl Xml {
    /// Begins with the common elements; `from` is a member, `sys`, or nobody.
    pub(super) fn new(corp_id: &str, from: Option<&str>, now: i64, msg_type: &str) -> Self {
        let mut xml = Self("<xml>".to_owned()).text("ToUserName", corp_id);
        if let Some(from) = from {
            xml = xml.text("FromUserName", from);
        }
        xml.number("CreateTime", now / 1000).text("MsgType", msg_type)
    }

    /// A text element.
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        // A text that holds the end mark is split over two sections.
        let safe = value.replace("]]>", "]]]]><![CDATA[>");
        self.0.push_str(&format!("<{name}><![CDATA[{safe}]]></{name}>"));
        self
    }

    /// A text element where there is one.
    pub(super) fn may(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// A number element.
    pub(super) fn number(mut self, name: &str, value: i64) -> Self {
        self.0.push_str(&format!("<{name}>{value}</{name}>"));
        self
    }

    /// The packet.
    pub(super) fn end(mut self) -> String {
        self.0.push_str("</xml>");
        self.0
    }
}

/// The apps of a kind, whose visible range holds the member if one is named.
pub(super) fn entitled<'a>(corp: &'a Corp, kind: Kind, member: Option<&'a str>) -> impl Iterator<Item = &'a App> {
    corp.apps
        .iter()
        .filter(move |a| a.kinds.contains(&kind) && member.is_none_or(|m| corp.sees(&a.name, m)))
}

/// `change_external_contact`, a copy for every entitled app, each with its own WelcomeCode.
pub(super) fn contact_change(
    corp: &Corp,
    now: i64,
    change: &str,
    (member, contact): (&str, &str),
    state: Option<&str>,
    codes: &[(String, String)],
    extra: Option<(&str, &str)>,
) -> Vec<Ring> {
    entitled(corp, Kind::Contacts, Some(member))
        .map(|app| {
            let code = codes.iter().find(|(a, _)| *a == app.name).map(|(_, c)| c.as_str());
            let mut xml = Xml::new(&corp.corp_id, Some("sys"), now, "event")
                .text("Event", "change_external_contact")
                .text("ChangeType", change)
                .text("UserID", member)
                .text("ExternalUserID", contact)
                .may("State", state)
                .may("WelcomeCode", code);
            if let Some((name, value)) = extra {
                xml = xml.text(name, value);
            }
            Ring {
                app: app.name.clone(),
                xml: xml.end(),
            }
        })
        .collect()
}

/// `kf_msg_or_event` to every app with kf: nobody's name, no content.
pub(super) fn kf_bell(corp: &mut Corp, now: i64, account: &str) -> Vec<Ring> {
    let apps: Vec<String> = entitled(corp, Kind::Kf, None).map(|a| a.name.clone()).collect();
    apps.into_iter()
        .map(|app| {
            let token = super::kf_sync::bell_token(corp, account, now);
            let xml = Xml::new(&corp.corp_id, None, now, "event")
                .text("Event", "kf_msg_or_event")
                .text("Token", &token)
                .text("OpenKfId", account)
                .end();
            Ring { app, xml }
        })
        .collect()
}

/// An event of a member in an app (`subscribe`, `enter_agent`, `click` …).
pub(super) fn app_event(corp: &Corp, now: i64, app: &App, member: &str, event: &str, key: &str) -> Ring {
    let xml = Xml::new(&corp.corp_id, Some(member), now, "event")
        .text("Event", event)
        .text("EventKey", key)
        .number("AgentID", app.agent_id)
        .end();
    Ring {
        app: app.name.clone(),
        xml,
    }
}

/// `change_external_tag`: one event for the group and one for each tag, in the same second.
pub(super) fn tag_created(corp: &Corp, now: i64, ids: &[(String, &str)]) -> Vec<Ring> {
    let mut rings = Vec::new();
    for app in entitled(corp, Kind::Contacts, None) {
        for (id, kind) in ids {
            let xml = Xml::new(&corp.corp_id, Some("sys"), now, "event")
                .text("Event", "change_external_tag")
                .text("Id", id)
                .text("TagType", kind)
                .text("ChangeType", "create")
                .end();
            rings.push(Ring {
                app: app.name.clone(),
                xml,
            });
        }
    }
    rings
}
