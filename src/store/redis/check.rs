//! Is this server what was asked for? Asked at every (re)connect: after a failover it may be another one.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

use super::super::{StoreError, StoreResult};
use super::keys;
use super::link::meaning;
use crate::settings::Durability;

/// Version of the keys and of the partitioning.
pub const FORMAT: &str = "1";

/// Oldest server whose scripts behave as ours expect (`ZADD XX` with stream `MINID` trimming).
const OLDEST: (u32, u32) = (6, 2);

/// What the operator asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// `store.durability`.
    pub durability: Durability,
}

fn refused(why: &str, remedy: &str) -> StoreError {
    StoreError::Refused(format!("{why}; {remedy}"))
}

/// `Refused` with the remedy if the server is weaker, too old, a cluster node or of another format;
/// `Unavailable` if it cannot tell now.
pub async fn server(conn: &mut MultiplexedConnection, wanted: &Wanted) -> StoreResult<()> {
    let info: String = cmd("INFO").query_async(conn).await.map_err(|e| meaning(&e).0)?;
    let info: HashMap<&str, &str> = info.lines().filter_map(|l| l.trim_end().split_once(':')).collect();
    let get = |key: &str| info.get(key).copied().unwrap_or("");
    version(get("redis_version"))?;
    if get("loading") == "1" {
        return Err(StoreError::Unavailable("redis is loading its data".into()));
    }
    if get("cluster_enabled") == "1" {
        return Err(refused(
            "this server is a node of a Redis Cluster, which this version cannot use",
            "point store.url to a standalone Redis",
        ));
    }
    if get("role") == "slave" {
        return Err(StoreError::Unavailable(
            "this Redis is a replica: point store.url to the primary, or wait for the failover".into(),
        ));
    }
    if get("maxmemory_policy") != "noeviction" && get("maxmemory") != "0" {
        tracing::warn!(
            policy = get("maxmemory_policy"),
            "Redis may evict our data when memory is short; set maxmemory-policy noeviction"
        );
    }
    durable(conn, wanted.durability, get("aof_enabled") == "1").await?;
    if wanted.durability == Durability::Replica && get("connected_slaves") == "0" {
        tracing::warn!("durability = \"replica\", but no replica is connected: nothing is accepted until one is");
    }
    let format: Option<String> = cmd("HGET")
        .arg(keys::STORE)
        .arg("format")
        .query_async(conn)
        .await
        .map_err(|e| meaning(&e).0)?;
    match format {
        Some(f) if f != FORMAT => Err(refused(
            &format!("this Redis database has format {f}, this program reads format {FORMAT}"),
            "point store.url to another database or run the version that made it",
        )),
        _ => Ok(()),
    }
}

fn version(text: &str) -> StoreResult<()> {
    let mut parts = text.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < OLDEST {
        return Err(refused(
            &format!(
                "this server calls itself Redis {text}, at least {}.{} is needed",
                OLDEST.0, OLDEST.1
            ),
            "upgrade it, or use Valkey",
        ));
    }
    Ok(())
}

async fn durable(conn: &mut MultiplexedConnection, wanted: Durability, aof: bool) -> StoreResult<()> {
    if wanted == Durability::Memory {
        return Ok(());
    }
    if !aof {
        return Err(refused(
            "this Redis has no AOF (appendonly no): a restart would lose accepted events",
            "set `appendonly yes` in redis.conf (or CONFIG SET appendonly yes), or accept that with \
             store.durability = \"memory\"",
        ));
    }
    if wanted != Durability::Fsync {
        return Ok(());
    }
    let answer: RedisResult<Vec<String>> = cmd("CONFIG").arg("GET").arg("appendfsync").query_async(conn).await;
    match answer {
        Ok(pair) if pair.get(1).is_some_and(|v| v == "always") => Ok(()),
        Ok(pair) => Err(refused(
            &format!(
                "store.durability = \"fsync\", but this Redis has appendfsync {}",
                pair.get(1).map_or("unknown", String::as_str)
            ),
            "set `appendfsync always` in redis.conf (or CONFIG SET appendfsync always), or use \
             store.durability = \"os\"",
        )),
        Err(e) if e.code().is_some() => Err(refused(
            "store.durability = \"fsync\" cannot be checked: this Redis forbids CONFIG GET",
            "allow it (ACL +config|get), or use store.durability = \"os\"",
        )),
        Err(e) => Err(meaning(&e).0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_older_than_6_2_are_refused_by_name() {
        for good in ["6.2.0", "6.2", "7.0.15", "10.0.1"] {
            assert!(version(good).is_ok(), "{good}");
        }
        for bad in ["6.0.20", "5.0.3", "", "x"] {
            assert!(version(bad).is_err(), "{bad}");
        }
    }
}
