-- Format 1 of the embedded store. `p` is a partition's index, times are milliseconds of the host's wall clock.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Ownership record, last decided and last given journal number of each of the 64 partitions.
CREATE TABLE parts (
  p INTEGER PRIMARY KEY, epoch INTEGER NOT NULL DEFAULT 0, nonce TEXT NOT NULL DEFAULT '',
  node TEXT NOT NULL DEFAULT '', beats INTEGER NOT NULL DEFAULT 0,
  position INTEGER NOT NULL DEFAULT 0, head INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE nodes (node TEXT PRIMARY KEY, counted INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;

-- id = p << 48 | n: one narrow integer key, and each partition's journal is one range of it.
CREATE TABLE journal (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, blob BLOB NOT NULL) STRICT;

-- Two generations by kind, as on Redis: generation = time / MarkKind::keep, known in this or the one before.
CREATE TABLE marks (
  kind INTEGER, generation INTEGER, p INTEGER, hash INTEGER,
  PRIMARY KEY (kind, generation, p, hash)) STRICT, WITHOUT ROWID;

-- Open jobs. after_n/after_k name the job this one waits for; NULL: due at its time.
CREATE TABLE jobs (
  p INTEGER, n INTEGER, k INTEGER, lane INTEGER NOT NULL, due INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
  started INTEGER, nonce TEXT, after_n INTEGER, after_k INTEGER, blob BLOB NOT NULL,
  PRIMARY KEY (p, n, k)) STRICT;
CREATE INDEX jobs_due ON jobs (p, lane, due, n, k) WHERE after_n IS NULL;
CREATE UNIQUE INDEX jobs_after ON jobs (p, after_n, after_k) WHERE after_n IS NOT NULL;
CREATE TABLE history (id INTEGER PRIMARY KEY AUTOINCREMENT, p INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
CREATE INDEX history_p ON history (p, id);
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT, p INTEGER NOT NULL, n INTEGER NOT NULL, reason TEXT NOT NULL,
  blob BLOB NOT NULL) STRICT;
CREATE INDEX quarantine_p ON quarantine (p, id);
CREATE TABLE counters (p INTEGER, name TEXT, value INTEGER NOT NULL, PRIMARY KEY (p, name)) STRICT, WITHOUT ROWID;

-- What follows goes when `expires` has passed (NULL: never); the beat sweeps.
CREATE TABLE docs (p INTEGER, key TEXT, value BLOB NOT NULL, expires INTEGER, PRIMARY KEY (p, key)) STRICT;
CREATE INDEX docs_expires ON docs (expires) WHERE expires IS NOT NULL;
CREATE TABLE windows (
  corp TEXT, scope TEXT, ms INTEGER, taken BLOB NOT NULL, expires INTEGER NOT NULL,
  PRIMARY KEY (corp, scope, ms)) STRICT, WITHOUT ROWID;
CREATE INDEX windows_expires ON windows (expires);
CREATE TABLE freezes (corp TEXT, scope TEXT, expires INTEGER NOT NULL, PRIMARY KEY (corp, scope)) STRICT, WITHOUT ROWID;
CREATE TABLE quota (
  p INTEGER, who TEXT, win TEXT, count INTEGER NOT NULL, expires INTEGER NOT NULL,
  PRIMARY KEY (p, who, win)) STRICT, WITHOUT ROWID;
CREATE INDEX quota_expires ON quota (expires);
CREATE TABLE reservations (
  p INTEGER, id TEXT, record BLOB NOT NULL, settled INTEGER NOT NULL DEFAULT 0, expires INTEGER NOT NULL,
  PRIMARY KEY (p, id)) STRICT;
CREATE INDEX reservations_expires ON reservations (expires);
CREATE TABLE shared (
  corp TEXT, key TEXT, version INTEGER NOT NULL, value BLOB NOT NULL, expires INTEGER,
  PRIMARY KEY (corp, key)) STRICT, WITHOUT ROWID;
CREATE INDEX shared_expires ON shared (expires) WHERE expires IS NOT NULL;
