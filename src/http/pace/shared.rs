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
/// A wait that ends so soon after one that was told is not told again.
const SLACK: Duration = Duration::from_millis(50);

/// `KEYS`: the hold, then the buckets. `ARGV`: the longest wait, then each bucket's spacing, in microseconds.
static RESERVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local at = now
for i = 1, #KEYS do
  at = math.max(at, tonumber(redis.call('GET', KEYS[i]) or 0))
end
local wait = at - now
if wait > tonumber(ARGV[1]) then return {0, wait} end
for i = 2, #KEYS do
  local spacing = tonumber(ARGV[i])
  redis.call('SET', KEYS[i], string.format('%.0f', at + spacing), 'PX', math.ceil((wait + spacing) / 1000) + 1000)
end
return {1, wait}",
    )
});

/// `KEYS`: the hold. `ARGV`: its microseconds.
static HOLD: LazyLock<Script> = LazyLock::new(|| {
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
    /// How far the last wait reaches that this process told of.
    told: Mutex<Option<Instant>>,
}

/// What there is of Redis.
#[derive(Debug)]
enum Link {
    /// Nobody has asked yet.
    Unknown,
    Up(MultiplexedConnection),
    Away,
}

/// When a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// So long from now: it is reserved.
    In(Duration),
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
            told: Mutex::default(),
            declared,
        }))
    }

    /// Whether the declared limits are kept in Redis at this instant.
    pub(super) fn rules(&self) -> bool {
        matches!(*self.link(), Link::Up(_)) && !self.buckets.is_empty()
    }

    /// Reserves the next slot that all of them have, unless it is further away than `most`.
    ///
    /// # Errors
    /// `Config` for a secret that is missing, a URL that is none, or credentials that Redis refuses at the first time.
    pub(super) async fn reserve(self: &Arc<Self>, most: Duration) -> Result<Slot> {
        let found = match &*self.link() {
            Link::Up(connection) => Some(connection.clone()),
            Link::Away => return Ok(Slot::Away { first: false }),
            Link::Unknown => None,
        };
        // Boxed: every future that waits for a page would have these in it.
        let asked = match found {
            Some(connection) => Box::pin(self.ask(connection, most)).await,
            None => match Box::pin(self.connect()).await? {
                Ok(connection) => {
                    *self.link() = Link::Up(connection.clone());
                    Box::pin(self.ask(connection, most)).await
                }
                Err(error) if is_refusal(&error) => return Err(self.refused(&error)),
                Err(error) => Err(error),
            },
        };
        Ok(match asked {
            Ok((true, wait)) => Slot::In(wait),
            Ok((false, wait)) => Slot::Late(wait),
            Err(error) => Slot::Away { first: self.lose(&error) },
        })
    }

    async fn ask(
        &self,
        mut connection: MultiplexedConnection,
        most: Duration,
    ) -> std::result::Result<(bool, Duration), RedisError> {
        let mut call = RESERVE.key(&self.hold);
        call.arg(micros(most));
        for (key, spacing) in &self.buckets {
            call.key(key).arg(*spacing);
        }
        let (reserved, wait): (bool, u64) = call.invoke_async(&mut connection).await?;
        Ok((reserved, Duration::from_micros(wait)))
    }

    /// Has all processes wait for so long, as the API told one of them.
    pub(super) fn hold(self: &Arc<Self>, wait: Duration) {
        let Link::Up(connection) = &*self.link() else { return };
        let Some(until) = Instant::now().checked_add(wait) else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| until <= told + SLACK) {
            return;
        }
        *told = Some(until);
        let (shared, mut connection) = (Arc::clone(self), connection.clone());
        tokio::spawn(async move {
            let mut call = HOLD.key(&shared.hold);
            let held: std::result::Result<i64, _> =
                call.arg(micros(wait)).invoke_async(&mut connection).await;
            if let Err(error) = held {
                shared.lose(&error);
            }
        });
    }

    async fn connect(&self) -> Result<std::result::Result<MultiplexedConnection, RedisError>> {
        let url = self.declared.redis.resolve()?;
        let client = Client::open(url.expose()).map_err(|_| {
            Error::new(ErrorKind::Config, "rate_limit.shared.redis is no URL of a Redis")
                .hint("write redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS, into the secret that it names")
        })?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let reach = async {
            let mut connection =
                client.get_multiplexed_async_connection_with_config(&config).await?;
            // A password that is missing is told by the first command.
            let _: String = redis::cmd("PING").query_async(&mut connection).await?;
            Ok(connection)
        };
        Ok(reach.await)
    }

    fn refused(&self, error: &RedisError) -> Error {
        Error::new(ErrorKind::Config, "Redis refused the credentials of rate_limit.shared.redis")
            .with("key", &self.declared.key)
            .with("code", error.code().unwrap_or_else(|| error.category()))
            .hint("check the user and password in the URL that the secret holds; without `shared` each run keeps to its `share`")
    }

    /// Redis is away: says so and looks for it from now on. False where that is known.
    fn lose(self: &Arc<Self>, error: &RedisError) -> bool {
        if matches!(std::mem::replace(&mut *self.link(), Link::Away), Link::Away) {
            return false;
        }
        // Its own words may hold the address, and with it the password.
        tracing::warn!(
            key = self.declared.key,
            reason = error.category(),
            "the shared pace is away: this run keeps to its own `share` of rate_limit until Redis is back"
        );
        let shared = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                let Some(shared) = shared.upgrade() else { return };
                if let Ok(Ok(connection)) = shared.connect().await {
                    *shared.link() = Link::Up(connection);
                    tracing::info!(key = shared.declared.key, "the shared pace is back");
                    return;
                }
            }
        });
        true
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_refusal(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
