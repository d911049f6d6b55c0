//! The Lua scripts, one file each, with `lib.lua` in front.

use redis::{Cmd, Script as Loaded};

/// The line of `lib.lua` that reads the time.
const NOW: &str = "local function now()";

/// One script.
pub struct Script(pub(super) Loaded);

impl Script {
    fn new(body: &str, clock: Option<&str>) -> Self {
        let lib = include_str!("lua/lib.lua");
        let text = match clock {
            None => format!("{lib}\n{body}"),
            Some(key) => {
                let read = format!("{NOW} return tonumber(redis.call('GET', '{key}')) end");
                let lines: Vec<&str> = lib
                    .lines()
                    .map(|l| if l.starts_with(NOW) { read.as_str() } else { l })
                    .collect();
                format!("{}\n{body}", lines.join("\n"))
            }
        };
        Self(Loaded::new(&text))
    }

    /// A call of this script: push its keys, then its arguments. One buffer, no copy of what is pushed.
    pub fn call(&self, keys: usize, args: usize, bytes: usize) -> Cmd {
        let mut cmd = Cmd::with_capacity(3 + keys + args, 64 + 32 * keys + 16 * args + bytes);
        cmd.arg("EVALSHA").arg(self.0.get_hash()).arg(keys);
        cmd
    }
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// All of them.
        pub struct Scripts { $($(#[$doc])* pub $name: Script,)* }

        impl Scripts {
            /// `clock`: for tests, the key that holds the time instead of the server's clock.
            pub fn new(clock: Option<&str>) -> Self {
                Self { $($name: Script::new(include_str!(concat!("lua/", stringify!($name), ".lua")), clock),)* }
            }
        }
    };
}

scripts! {
    /// Entries into one partition's journal.
    append,
    /// Takes a partition.
    acquire,
    /// Shows that the owner lives.
    beat,
    /// Gives a partition back.
    release,
    /// Who is alive; the store's identity.
    announce,
    /// Store time.
    time,
    /// The owner's step.
    commit,
    /// Due jobs.
    due,
    /// Figures.
    stats,
    /// The limiter.
    permit,
    /// A pause.
    freeze,
    /// Quota.
    reserve,
    /// End of a reservation.
    settle,
    /// A shared value.
    shared,
    /// Sets a shared value.
    compare_and_set,
}
