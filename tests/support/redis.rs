//! A real redis-server: private port, private folder, killed by its own pid.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use redis::Connection;
use secrecy::SecretString;
use wecom_gateway::settings::Durability;
use wecom_gateway::store::redis::RedisOptions;

use super::harness::KEEP;

/// One server. Dropping it kills the process and removes the folder.
pub struct RedisServer {
    dir: tempfile::TempDir,
    port: u16,
    args: Vec<String>,
    child: Option<Child>,
}

/// A port below those that Linux gives to outgoing connections: one of these could otherwise sit on the port of
/// a server that is down for a moment, or even connect to itself there. Each process begins elsewhere.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = std::process::id()
            .wrapping_mul(131)
            .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (n % 20_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

impl RedisServer {
    /// AOF on, `everysec`.
    pub fn start() -> Self {
        Self::start_with(&["--appendonly", "yes"])
    }

    /// With these arguments besides the private ones.
    pub fn start_with(args: &[&str]) -> Self {
        for _ in 0..50 {
            let port = free_port();
            let mut server = Self {
                dir: tempfile::tempdir().unwrap(),
                port,
                args: args.iter().map(|a| (*a).to_owned()).collect(),
                child: None,
            };
            if server.spawn() {
                return server;
            }
        }
        panic!("no free port for redis-server");
    }

    /// Starts the process and waits until it says that it is ready. False: it ended instead (port taken).
    fn spawn(&mut self) -> bool {
        let mut child = Command::new("redis-server")
            .arg("--port")
            .arg(self.port.to_string())
            .args(["--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
            .arg("--dir")
            .arg(self.dir.path())
            .args(&self.args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(
                "redis-server cannot be started: install it (Debian: apt install redis-server) and run `make test`",
            );
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|l| l.contains("Ready to accept connections"));
        // Somebody has to read on, or the server would block on a full pipe one day.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        if ready {
            self.child = Some(child);
        } else {
            let _ = child.kill();
            let _ = child.wait();
        }
        ready
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts again on the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.spawn(), "redis-server did not come back on port {}", self.port);
    }

    /// Starts again with nothing.
    pub fn restart_empty(&mut self) {
        self.kill();
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            } else {
                std::fs::remove_file(path).unwrap();
            }
        }
        self.restart();
    }

    /// SIGSTOP or SIGCONT, by pid.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// A plain blocking connection, for looking behind the store's back.
    pub fn connection(&self) -> Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    pub fn options(&self, clock_key: Option<&str>) -> RedisOptions {
        self.options_with(Durability::Os, clock_key)
    }

    pub fn options_with(&self, durability: Durability, clock_key: Option<&str>) -> RedisOptions {
        RedisOptions {
            url: SecretString::from(self.url()),
            durability,
            keep: KEEP,
            clock_key: clock_key.map(String::from),
        }
    }
}
