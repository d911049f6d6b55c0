//! What a play starts with: the corp, the settings and the content, written as an operator writes them.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use wecom_gateway::sandbox::{Kind, Limits, Sandbox, Setup};

pub const KF: &str = "wkCoffee0001";
pub const WANG: &str = "wmXiaoWang";
pub const LI: &str = "wmXiaoLi";
pub const CHEN: &str = "wmLaoChen";
pub const ZHOU: &str = "wmLaoZhou";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

/// A play before it begins.
pub struct Script {
    pub setup: Setup,
    pub dir: TempDir,
    apps: Vec<(String, &'static str, String)>,
    corp: String,
    kf: String,
    safety: String,
    channels: String,
    rules: String,
}

impl Script {
    /// 某某咖啡 with its app `main`; no channel, no rule, and a few short templates.
    pub fn coffee() -> Self {
        let script = Self {
            setup: Sandbox::coffee(),
            dir: tempfile::tempdir().unwrap(),
            apps: vec![("main".into(), r#"["contacts", "kf", "agent"]"#, "main-secret".into())],
            corp: String::new(),
            kf: String::new(),
            safety: String::new(),
            channels: String::new(),
            rules: String::new(),
        };
        script
            .template("hello", "text = \"你好{{ contact.name }}，我是{{ member.name }}\"")
            .template("a", "text = \"甲\"")
            .template("b", "text = \"乙\"")
            .template("c", "text = \"丙\"")
    }

    /// A second app that has contacts only.
    pub fn second_app(mut self) -> Self {
        self.setup = self.setup.app("crm", 1_000_003, &[Kind::Contacts]);
        self.apps.push(("crm".into(), r#"["contacts"]"#, "crm-secret".into()));
        self
    }

    /// The settings name this secret for the app.
    pub fn secret(mut self, app: &str, secret: &str) -> Self {
        let found = self.apps.iter_mut().find(|(name, ..)| name == app);
        found.unwrap().2 = secret.into();
        self
    }

    pub fn setup(mut self, change: impl FnOnce(Setup) -> Setup) -> Self {
        self.setup = change(self.setup);
        self
    }

    pub fn limits(self, change: impl FnOnce(&mut Limits)) -> Self {
        self.setup(|s| s.limits(change))
    }

    pub fn corp(mut self, lines: &str) -> Self {
        self.corp.push_str(lines);
        self.corp.push('\n');
        self
    }

    pub fn kf(mut self, lines: &str) -> Self {
        self.kf.push_str(lines);
        self.kf.push('\n');
        self
    }

    pub fn safety(mut self, lines: &str) -> Self {
        self.safety.push_str(lines);
        self
    }

    /// `fields` of one `[[channel]]` with this state.
    pub fn channel(mut self, state: &str, fields: &str) -> Self {
        self.channels += &format!("[[channel]]\nstate = {state:?}\nname = \"渠道 {state}\"\n{fields}\n");
        self
    }

    /// `fields` of one `[[rule]]`.
    pub fn rule(mut self, name: &str, fields: &str) -> Self {
        self.rules += &format!("[[rule]]\nname = {name:?}\n{fields}\n");
        self
    }

    pub fn template(self, name: &str, text: &str) -> Self {
        self.file(&format!("templates/{name}.toml"), text.as_bytes())
    }

    /// A picture that templates may name.
    pub fn picture(self, name: &str) -> Self {
        let png = [b"\x89PNG\r\n\x1a\n".as_slice(), name.as_bytes()].concat();
        self.file(&format!("templates/media/{name}"), &png)
    }

    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// Writes gateway.toml and the content for a WeCom at `api_base`.
    pub fn write(&self, api_base: &str, listen: &str) {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let mut toml = format!(
            "[server]\nlisten = \"{listen}\"\nnode = {:?}\n[store]\nurl = {:?}\n[content]\ndir = {:?}\n\
             templates = {:?}\n[[corp]]\nname = \"acme\"\ndisplay_name = \"某某咖啡\"\n\
             corp_id = \"ww0123456789abcdef\"\napi_base = \"{api_base}\"\n{}",
            at("node"),
            format!("sqlite:{}", at("gateway.db")),
            at("config"),
            at("templates"),
            self.corp,
        );
        for (i, (name, kinds, secret)) in self.apps.iter().enumerate() {
            toml += &format!(
                "[[corp.app]]\nname = \"{name}\"\nkind = {kinds}\nagent_id = {}\nsecret = \"{secret}\"\n\
                 token = \"{name}Token\"\nencoding_aes_key = \"{KEY}\"\n",
                1_000_002 + i,
            );
        }
        toml += &format!("[corp.kf]\n{}[corp.safety]\n{}\n", self.kf, self.safety);
        let write = |name: &str, text: &str| {
            let path = self.dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("gateway.toml", &toml);
        write("config/channels.toml", &self.channels);
        write("config/rules/all.toml", &self.rules);
    }

    pub fn apps(&self) -> impl Iterator<Item = &str> {
        self.apps.iter().map(|(name, ..)| name.as_str())
    }

    /// The real binary with these arguments and the play's settings; no terminal, no environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        command(self.dir.path(), arguments)
    }
}

/// The real binary on the settings in `dir`.
pub fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-gateway"));
    command
        .args(arguments)
        .arg("--config")
        .arg(dir.join("gateway.toml"))
        .env_clear()
        .stdin(Stdio::null());
    command
}

/// Without the kf polls' calls, for plays that count calls of other functions.
pub fn kf_free(script: Script) -> Script {
    script.kf("poll = \"1h\"\naccounts = { none = \"wkNobody\" }")
}
