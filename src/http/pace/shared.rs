//! One pace for many processes: a bucket in Redis, kept by its clock, and the waits that one of them was told of.
//!
//! A script reserves the next free slot and says how long it is until then (GCRA with a burst of one, as in
//! [`limiter`](crate::http::limiter)), so that a process asks once for a request. While Redis is away each process keeps
//! to its own `share` of the limits, and looks for Redis in the background: no request waits for that.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, Script};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::http::limiter::LATE;
use crate::spec::source::{RateLimit, SharedPace};

/// How long Redis may take to be reached or to answer before it is away.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often one that is away is looked for.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a run keeps to its share too once Redis is back: the others may not know yet, and keep to theirs.
const BOTH: Duration = Duration::from_secs(3);
/// The longest that one run has the others wait for what it was told, as a quota may be raised before its reset: then one
/// of them asks the API again.
const HOLD: Duration = Duration::from_secs(3_600);
/// A wait that ends so soon after one that was told is not told again.
const SLACK: Duration = Duration::from_millis(50);

/// `KEYS`: the hold, then the buckets. `ARGV`: the longest wait, then each bucket's spacing, in microseconds.
static RESERVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = tonumber(redis.call('GET', KEYS[1]) or 0) > now and 1 or 0
local at = now
for i = 1, #KEYS do
  at = math.max(at, tonumber(redis.call('GET', KEYS[i]) or 0))
end
local wait = at - now
if wait > tonumber(ARGV[1]) then return {0, wait, held} end
for i = 2, #KEYS do
  local spacing = tonumber(ARGV[i])
  redis.call('SET', KEYS[i], string.format('%.0f', at + spacing), 'PX', math.ceil((wait + spacing) / 1000) + 1000)
end
return {1, wait, held}",
    )
});

/// `KEYS`: the hold. `ARGV`: its microseconds.
static HOLD_FOR: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local till = time[1] * 1000000 + time[2] + tonumber(ARGV[1])
if till > tonumber(redis.call('GET', KEYS[1]) or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', math.ceil(tonumber(ARGV[1]) / 1000) + 1000)
end
return 1",
    )
});

/// The pace of all processes that name the same key of the same Redis.
#[derive(Debug)]
pub(super) struct Shared {
    declared: SharedPace,
    hold: String,
    /// The buckets' keys, and the microseconds between two of their requests.
    buckets: Vec<(String, i64)>,
    link: Mutex<Link>,
    /// How far the waits reach that this process was told of.
    hold_until: Mutex<HoldUntil>,
}

/// How far a wait reaches.
#[derive(Clone, Copy, Debug, Default)]
struct HoldUntil {
    /// As this process was told.
    known: Option<Instant>,
    /// As Redis has it by this process.
    told: Option<Instant>,
}

/// What Redis answers.
type Asked<T> = std::result::Result<T, RedisError>;

/// What there is of Redis.
#[derive(Debug)]
enum Link {
    /// Nobody has asked yet.
    Unknown,
    /// It answers; once it was away, this process keeps to its share too until an instant.
    Up(MultiplexedConnection, Option<Instant>),
    Away,
}

/// When a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// So long from now: it is reserved. Whether it is that far as a run was told to wait.
    In(Duration, bool),
    /// So long from now, which is too long: it is not reserved.
    Late(Duration),
    /// Redis does not say: this process keeps to its own share. Whether it is the first to be told so.
    Away { first: bool },
}

impl Shared {
    /// What `limit` declares, if it does.
    pub(super) fn new(limit: &RateLimit) -> Option<Arc<Self>> {
        let declared = limit.shared.clone()?;
        let key = |what: &str| format!("lakeward:{{{}}}:{what}", declared.key);
        let limits =
            [("per_second", limit.per_second, 1.0), ("per_minute", limit.per_minute, 60.0)];
        let buckets = limits.into_iter().filter_map(|(name, rate, period)| {
            let spacing = Duration::try_from_secs_f64((period + LATE) / rate?).ok()?;
            Some((key(name), i64::try_from(spacing.as_micros()).ok()?))
        });
        Some(Arc::new(Self {
            hold: key("hold"),
            buckets: buckets.collect(),
            link: Mutex::new(Link::Unknown),
            hold_until: Mutex::default(),
            declared,
        }))
    }

    /// Whether the declared limits are kept in Redis at this instant.
    pub(super) fn rules(&self) -> bool {
        matches!(*self.link(), Link::Up(..)) && !self.buckets.is_empty()
    }

    /// Whether Redis is back, and other processes may not know.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(&*self.link(), Link::Up(_, Some(until)) if *until > Instant::now())
    }

    /// Reserves the next slot that all of them have, unless it is further away than `most`.
    ///
    /// # Errors
    /// `Config` for a secret that is missing, a URL that is none, or what Redis refuses at the first time.
    pub(super) async fn reserve(self: &Arc<Self>, most: Duration) -> Result<Slot> {
        let (found, first) = match &*self.link() {
            Link::Up(connection, _) => (Some(connection.clone()), false),
            Link::Away => return Ok(Slot::Away { first: false }),
            Link::Unknown => (None, true),
        };
        // Boxed: every future that waits for a page would have these in it.
        if let Some(connection) = found
            && let Ok(slot) = Box::pin(self.ask(connection, most)).await
        {
            return Ok(slot);
        }
        // The first time, or a connection that was closed for being idle.
        let asked = match Box::pin(self.connect()).await? {
            Ok(connection) => {
                *self.link() = Link::Up(connection.clone(), None);
                // It may have begun anew meanwhile, and forgotten what it was told.
                self.hold_until().told = None;
                self.tell();
                Box::pin(self.ask(connection, most)).await
            }
            Err(error) => Err(error),
        };
        match asked {
            Ok(slot) => Ok(slot),
            Err(error) if first && is_refusal(&error) => Err(self.refused(&error)),
            Err(error) => Ok(Slot::Away { first: self.lose(&error) }),
        }
    }

    async fn ask(&self, mut connection: MultiplexedConnection, most: Duration) -> Asked<Slot> {
        let mut call = RESERVE.key(&self.hold);
        call.arg(micros(most));
        for (key, spacing) in &self.buckets {
            call.key(key).arg(*spacing);
        }
        let (reserved, wait, held): (bool, u64, bool) = call.invoke_async(&mut connection).await?;
        let wait = Duration::from_micros(wait);
        Ok(if reserved { Slot::In(wait, held) } else { Slot::Late(wait) })
    }

    /// Has all processes wait for so long, as the API told this one.
    pub(super) fn hold(self: &Arc<Self>, wait: Duration) {
        let until = Instant::now().checked_add(wait.min(HOLD));
        let mut hold = self.hold_until();
        hold.known = hold.known.max(until);
        drop(hold);
        self.tell();
    }

    /// Tells Redis how long all processes are to wait, unless it knows.
    fn tell(self: &Arc<Self>) {
        let Link::Up(connection, _) = &*self.link() else { return };
        let mut hold = self.hold_until();
        let Some(until) = hold.known else { return };
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() || hold.told.is_some_and(|told| until <= told + SLACK) {
            return;
        }
        hold.told = Some(until);
        let (shared, connection) = (Arc::clone(self), connection.clone());
        tokio::spawn(async move {
            if let Err(error) = shared.hold_for(wait, connection).await {
                shared.lose(&error);
            }
        });
    }

    async fn hold_for(&self, wait: Duration, mut connection: MultiplexedConnection) -> Asked<()> {
        let mut call = HOLD_FOR.key(&self.hold);
        let _: i64 = call.arg(micros(wait)).invoke_async(&mut connection).await?;
        Ok(())
    }

    async fn connect(&self) -> Result<Asked<MultiplexedConnection>> {
        let url = self.declared.redis.resolve()?;
        let client = Client::open(url.expose()).map_err(|_| {
            Error::new(ErrorKind::Config, "rate_limit.shared.redis is no URL of a Redis")
                .hint("write redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS, into the secret that it names, the password percent-encoded")
        })?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let reach = async {
            let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            // Whether the scripts may run and write.
            self.hold_for(Duration::ZERO, connection.clone()).await?;
            Ok(connection)
        };
        Ok(reach.await)
    }

    fn refused(&self, error: &RedisError) -> Error {
        Error::new(ErrorKind::Config, "the Redis of rate_limit.shared.redis refused this run")
            .with("key", &self.declared.key)
            .with("code", reason(error))
            .hint("check the user, the password (percent-encoded) and the database in the URL that the secret holds; the user needs EVAL, EVALSHA, SCRIPT, TIME, GET and SET")
    }

    /// Redis is away: says so and looks for it from now on. False where that is known.
    fn lose(self: &Arc<Self>, error: &RedisError) -> bool {
        if matches!(std::mem::replace(&mut *self.link(), Link::Away), Link::Away) {
            return false;
        }
        // It may have forgotten what it was told.
        self.hold_until().told = None;
        // Its own words may hold the address, and with it the password.
        let mut told = reason(error).to_owned();
        tracing::warn!(
            key = self.declared.key,
            reason = told,
            "the shared pace is away: this run keeps to its own `share` of rate_limit until Redis is back"
        );
        let shared = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                let Some(shared) = shared.upgrade() else { return };
                let key = &shared.declared.key;
                match shared.connect().await {
                    Ok(Ok(connection)) => {
                        *shared.link() = Link::Up(connection, Instant::now().checked_add(BOTH));
                        tracing::info!(key, "the shared pace is back");
                        return shared.tell();
                    }
                    Ok(Err(error)) if reason(&error) != told => {
                        told = reason(&error).to_owned();
                        tracing::warn!(key, reason = told, "the shared pace is still away");
                    }
                    _ => {}
                }
            }
        });
        true
    }

    fn hold_until(&self) -> MutexGuard<'_, HoldUntil> {
        self.hold_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether Redis said no to what is declared, and not that it cannot at this instant.
fn is_refusal(error: &RedisError) -> bool {
    const NOT_NOW: [&str; 7] =
        ["LOADING", "BUSY", "MASTERDOWN", "READONLY", "OOM", "CLUSTERDOWN", "MISCONF"];
    error.kind() == redis::ErrorKind::AuthenticationFailed
        || error.code().is_some_and(|code| !NOT_NOW.contains(&code))
}

fn reason(error: &RedisError) -> &str {
    error.code().filter(|code| !code.is_empty()).unwrap_or_else(|| error.category())
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
