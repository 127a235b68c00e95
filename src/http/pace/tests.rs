//! The gate against servers that count, in a time that passes only while all sleep: nothing here depends on the machine.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::header::{HeaderName, HeaderValue};

use super::*;
use crate::http::retry::{Verdict, verdict};

/// A wall clock that follows the runtime's.
#[derive(Debug)]
struct Wall {
    began: Instant,
    epoch: DateTime<Utc>,
}

impl Wall {
    /// `fraction` of a second into some minute.
    fn at(fraction: f64) -> Arc<Self> {
        let epoch: DateTime<Utc> = "2026-03-17T12:00:00Z".parse().expect("instant");
        let epoch = epoch + TimeDelta::from_std(Duration::from_secs_f64(fraction)).expect("delta");
        Arc::new(Self { began: Instant::now(), epoch })
    }

    /// Seconds since 1970.
    fn seconds(&self) -> f64 {
        self.now().timestamp_micros() as f64 / 1e6
    }
}

impl Clock for Wall {
    fn now(&self) -> DateTime<Utc> {
        self.epoch + TimeDelta::from_std(self.began.elapsed()).expect("delta")
    }
}

/// A request that leaves as soon as it may.
async fn let_go(pace: &Arc<Pace>) -> Result<Permit> {
    let mut permit = pace.turn().await?;
    permit.leaves();
    Ok(permit)
}

/// How a server counts.
#[derive(Clone, Copy, Debug)]
enum Count {
    /// Periods of a second that begin this far behind the clock's.
    Fixed(f64),
    /// Seconds that begin with the first request in them, as many libraries count.
    Begun,
    /// Any second.
    Sliding,
    /// A bucket of ten that fills up in a second.
    Bucket,
}

/// What a server says, given limit, remaining, seconds to the reset, and its time.
type Says = fn(u64, u64, f64, f64) -> Vec<(&'static str, String)>;

/// A server of ten requests a second.
struct Server {
    count: Count,
    says: Says,
    /// Milliseconds that its clock is ahead of ours.
    ahead: i64,
    latency: Duration,
    wall: Arc<Wall>,
    taken: Mutex<(f64, u64, Vec<f64>)>,
    accepted: AtomicU64,
    refused: AtomicU64,
}

const LIMIT: u64 = 10;

impl Server {
    fn new(count: Count, says: Says) -> Self {
        Self {
            count,
            says,
            ahead: 0,
            latency: Duration::from_millis(5),
            wall: Wall::at(0.4),
            taken: Mutex::default(),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Whether a request that comes now is let through, what is left, and the seconds to the reset.
    fn take(&self, now: f64) -> (bool, u64, f64) {
        let mut taken = self.taken.lock().expect("lock");
        let (mark, used, log) = &mut *taken;
        match self.count {
            Count::Fixed(phase) => {
                let period = (now - phase).floor();
                if period > *mark {
                    (*mark, *used) = (period, 0);
                }
                let ok = *used < LIMIT;
                *used += u64::from(ok);
                (ok, LIMIT - *used, period + phase + 1.0 - now)
            }
            Count::Begun => {
                if now >= *mark + 1.0 {
                    (*mark, *used) = (now, 0);
                }
                let ok = *used < LIMIT;
                *used += u64::from(ok);
                (ok, LIMIT - *used, *mark + 1.0 - now)
            }
            Count::Sliding => {
                log.retain(|at| now - at < 1.0);
                let ok = (log.len() as u64) < LIMIT;
                if ok {
                    log.push(now);
                }
                (ok, LIMIT - log.len() as u64, 1.0 - (now - log[0]))
            }
            Count::Bucket => {
                let level = log.first().copied().unwrap_or(LIMIT as f64);
                let level = (level + (now - *mark) * LIMIT as f64).min(LIMIT as f64);
                *mark = now;
                let ok = level >= 1.0;
                let level = if ok { level - 1.0 } else { level };
                *log = vec![level];
                let left = (1..=LIMIT).take_while(|n| *n as f64 <= level).count();
                (ok, left.try_into().expect("count"), 1.0 - level / LIMIT as f64)
            }
        }
    }

    async fn answer(&self) -> (StatusCode, HeaderMap) {
        tokio::time::sleep(self.latency / 2).await;
        let now = self.wall.seconds() + self.ahead as f64 / 1e3;
        let (ok, left, reset) = self.take(now);
        let mut headers = HeaderMap::new();
        let ahead = TimeDelta::milliseconds(self.ahead);
        let date = self.wall.now() + ahead;
        let mut lines = (self.says)(LIMIT, left, reset, now);
        lines.push(("date", httpdate::fmt_http_date(date.into())));
        if !ok {
            lines.push(("retry-after", format!("{}", reset.ceil())));
        }
        for (name, value) in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(&value).expect("value"),
            );
        }
        let of = if ok { &self.accepted } else { &self.refused };
        of.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.latency / 2).await;
        let status = if ok { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        (status, headers)
    }
}

fn limits() -> (RateLimit, Retry) {
    let limit = RateLimit {
        per_second: None,
        per_minute: None,
        reserve: 0.1,
        share: (1, 1),
        max_wait: Duration::from_secs(900),
        shared: None,
    };
    (limit, Retry { max_attempts: 5, max_wait: Duration::from_secs(60) })
}

/// One request until it is let through, as `Client::fetch` does it.
async fn fetch(pace: &Arc<Pace>, server: &Server, retry: &Retry) {
    let mut attempt = 1;
    loop {
        let permit = let_go(pace).await.expect("turn");
        let (status, headers) = server.answer().await;
        permit.answered(status, &headers);
        if status.is_success() {
            return;
        }
        let asked = asked(&headers, server.wall.now());
        match verdict(retry, attempt, asked, 0.5) {
            Verdict::Wait(wait) => {
                pace.hold(wait);
                tokio::time::sleep(wait).await;
            }
            other => panic!("{other:?}"),
        }
        attempt += 1;
    }
}

/// The share of requests that were refused, and that of the quota that was used, by `windows` of 25 requests each.
async fn run(server: Server, windows: u32, share: (u32, u32), processes: u32) -> (f64, f64) {
    let (limit, retry) = limits();
    let server = Arc::new(server);
    let limit = RateLimit { share, ..limit };
    let began = Instant::now();
    let tasks: Vec<_> = (0..processes)
        .flat_map(|_| {
            let clock: Arc<dyn Clock> = Arc::clone(&server.wall) as Arc<dyn Clock>;
            let pace = Arc::new(Pace::new(&limit, &retry, clock).expect("pace"));
            (0..windows).map(|_| Arc::clone(&pace)).collect::<Vec<_>>()
        })
        .map(|pace| {
            let (server, retry) = (Arc::clone(&server), retry.clone());
            tokio::spawn(async move {
                for _ in 0..25 {
                    fetch(&pace, &server, &retry).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("window");
    }
    let accepted = server.accepted.load(Ordering::SeqCst) as f64;
    let refused = server.refused.load(Ordering::SeqCst) as f64;
    let quota = LIMIT as f64 * began.elapsed().as_secs_f64();
    (refused / (accepted + refused), accepted / quota)
}

fn lines(limit: u64, left: u64, reset: String) -> Vec<(&'static str, String)> {
    vec![
        ("x-ratelimit-limit", limit.to_string()),
        ("x-ratelimit-remaining", left.to_string()),
        ("x-ratelimit-reset", reset),
    ]
}

const DIALECTS: [(&str, Says); 11] = [
    ("policy alone", |limit, _, _, _| vec![("ratelimit-policy", format!("{limit};w=1"))]),
    ("epoch, up", |limit, left, reset, now| {
        lines(limit, left, format!("{}", (now + reset).ceil()))
    }),
    ("epoch, down", |limit, left, reset, now| {
        lines(limit, left, format!("{}", (now + reset).floor()))
    }),
    ("epoch, exact", |limit, left, reset, now| lines(limit, left, format!("{:.3}", now + reset))),
    ("epoch, ms", |limit, left, reset, now| {
        lines(limit, left, format!("{}", ((now + reset) * 1000.0).ceil()))
    }),
    ("delta, up", |limit, left, reset, _| lines(limit, left, format!("{}", reset.ceil()))),
    ("delta, down", |limit, left, reset, _| lines(limit, left, format!("{}", reset.floor()))),
    ("used", |limit, left, reset, _| {
        vec![
            ("x-ratelimit-limit", limit.to_string()),
            ("x-ratelimit-used", (limit - left).to_string()),
            ("x-ratelimit-reset", format!("{}", reset.ceil())),
        ]
    }),
    ("draft 6", |limit, left, reset, _| {
        vec![
            ("ratelimit-policy", format!("{limit};w=1")),
            ("ratelimit-limit", limit.to_string()),
            ("ratelimit-remaining", left.to_string()),
            ("ratelimit-reset", format!("{}", reset.ceil())),
        ]
    }),
    ("draft 7", |limit, left, reset, _| {
        let all = format!("limit={limit}, remaining={left}, reset={}", reset.ceil());
        vec![("ratelimit-policy", format!("{limit};w=1")), ("ratelimit", all)]
    }),
    ("draft 8", |limit, left, reset, _| {
        vec![
            ("ratelimit-policy", format!("\"a\";q={limit};w=1, \"day\";q=5000;w=86400")),
            ("ratelimit", format!("\"a\";r={left};t={}", reset.ceil())),
        ]
    }),
];

const COUNTS: [Count; 5] =
    [Count::Fixed(0.0), Count::Fixed(0.37), Count::Begun, Count::Sliding, Count::Bucket];

#[tokio::test(start_paused = true)]
async fn forty_windows_use_a_quota_that_only_headers_tell_and_are_hardly_refused() {
    let mut failed = Vec::new();
    for (dialect, says) in DIALECTS {
        for count in COUNTS {
            // Whole seconds of a clock cannot tell when the last second's first request is a second old.
            if matches!(count, Count::Sliding) && ["epoch, up", "epoch, down"].contains(&dialect) {
                continue;
            }
            for latency in [1, 5, 40] {
                let latency = Duration::from_millis(latency);
                let server = Server { latency, ..Server::new(count, says) };
                let (refused, used) = run(server, 40, (1, 1), 1).await;
                if refused > 0.01 || used < 0.9 {
                    failed
                        .push(format!("{dialect}, {count:?}, {latency:?}: {refused:.3} {used:.3}"));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_five_minutes_off_changes_nothing() {
    for ahead in [300_000, -300_000, 299_600] {
        for (dialect, says) in DIALECTS {
            let server = Server { ahead, ..Server::new(Count::Fixed(0.0), says) };
            let (refused, used) = run(server, 40, (1, 1), 1).await;
            assert!(refused <= 0.01 && used >= 0.8, "{ahead} {dialect}: {refused:.3} {used:.3}");
        }
    }
}

/// Answers one request.
async fn answered(pace: &Arc<Pace>, status: u16, lines: &[(&'static str, &str)]) {
    let permit = let_go(pace).await.expect("turn");
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("value"));
    }
    permit.answered(StatusCode::from_u16(status).expect("status"), &headers);
}

fn pace(limit: &RateLimit) -> Arc<Pace> {
    Arc::new(Pace::new(limit, &limits().1, Wall::at(0.0)).expect("pace"))
}

/// How long the next request waits.
async fn next(pace: &Arc<Pace>) -> Duration {
    let began = Instant::now();
    let permit = let_go(pace).await.expect("turn");
    permit.answered(StatusCode::OK, &HeaderMap::new());
    began.elapsed()
}

fn ms(duration: Duration) -> u128 {
    // The runtime's timer counts whole milliseconds.
    duration.as_millis() / 10 * 10
}

#[tokio::test(start_paused = true)]
async fn what_is_reserved_is_left_to_others() {
    for (reserve, left, waits) in
        [(0.1, "10", 0), (0.1, "9", 30_000), (0.0, "1", 0), (0.0, "0", 30_000)]
    {
        let pace = pace(&RateLimit { reserve, ..limits().0 });
        let told = [
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", left),
            ("x-ratelimit-reset", "30"),
        ];
        answered(&pace, 200, &told).await;
        assert_eq!(ms(next(&pace).await), waits, "{reserve} {left}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_quotas_the_tightest_holds() {
    let pace = pace(&limits().0);
    let told = [
        ("ratelimit-policy", "\"burst\";q=10;w=1, \"daily\";q=1000;w=86400"),
        ("ratelimit", "\"burst\";r=0;t=1, \"daily\";r=99;t=600"),
    ];
    answered(&pace, 200, &told).await;
    assert_eq!(ms(next(&pace).await), 600_000);
}

#[tokio::test(start_paused = true)]
async fn a_policy_alone_is_counted_here() {
    let pace = pace(&limits().0);
    answered(&pace, 200, &[("ratelimit-policy", "\"burst\";q=10;w=2")]).await;
    let began = Instant::now();
    for _ in 0..9 {
        next(&pace).await;
    }
    assert_eq!(ms(began.elapsed()), 0);
    next(&pace).await;
    assert_eq!(ms(began.elapsed()), 2000);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_nobody_can_read_is_a_bounded_wait() {
    let began: DateTime<Utc> = "2026-03-17T12:00:00Z".parse().expect("instant");
    // No `Date`: five minutes ahead, or behind, of a second's quota.
    for (skew, status, more, waits) in [
        (300, 200, ("x-other", ""), 301_000),
        (-300, 200, ("x-other", ""), 1000),
        (300, 429, ("retry-after", "1"), 1000),
        (300, 200, ("ratelimit-policy", "10;w=1"), 1000),
    ] {
        let pace = pace(&limits().0);
        let reset = (began.timestamp() + 1 + skew).to_string();
        let told = [
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", &reset),
            more,
        ];
        answered(&pace, status, &told).await;
        assert_eq!(ms(next(&pace).await), waits, "{skew} {more:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_too_long_says_when_to_come_back() {
    let cases = [
        (
            200,
            ("x-ratelimit-reset", "3600"),
            "the API's quota is used up: it resets at 2026-03-17T13:00:00Z",
        ),
        (200, ("x-ratelimit-reset", "8640000"), "it resets at 2026-06-25T12:00:00Z"),
        (429, ("retry-after", "3600"), "the API asks to come back at 2026-03-17T13:00:00Z"),
    ];
    for (status, line, message) in cases {
        let pace = pace(&limits().0);
        answered(&pace, status, &[("x-ratelimit-remaining", "0"), line]).await;
        let began = Instant::now();
        let error = pace.turn().await.expect_err("too long");
        assert_eq!((error.kind(), began.elapsed()), (ErrorKind::Transient, Duration::ZERO));
        assert!(error.message().contains(message), "{error}");
        assert!(error.advice().expect("hint").contains("run the same command again then"));
    }
}

/// "Clock skew of five minutes, Retry-After in the past, negative, huge, garbage: a bounded, sensible wait each."
#[tokio::test(start_paused = true)]
async fn a_reset_that_no_clock_means_is_none() {
    for line in [
        ("x-ratelimit-reset", "99999999999999"),
        ("x-ratelimit-reset", "1795893685384951"),
        ("ratelimit", "\"b\";r=0;t=999999999999999"),
    ] {
        let pace = pace(&limits().0);
        let told = [("x-ratelimit-remaining", "0"), line];
        let told = if line.0 == "ratelimit" { &told[1..] } else { &told };
        answered(&pace, 200, told).await;
        assert_eq!(ms(next(&pace).await), 1000, "{line:?}");
    }
}

/// A server that answers late: were one request a period waited for, most of the quota would be lost. Where its answers
/// take a period and more, or its periods begin between the seconds that it tells, about half of it still is; nothing is
/// refused for it.
#[tokio::test(start_paused = true)]
async fn a_quota_is_used_where_a_round_trip_is_half_a_period() {
    for (count, latency, least) in [
        (Count::Fixed(0.0), 100, 0.9),
        (Count::Fixed(0.0), 250, 0.9),
        (Count::Fixed(0.0), 500, 0.9),
        (Count::Fixed(0.0), 1000, 0.4),
        (Count::Fixed(0.0), 6000, 0.1),
    ] {
        let latency = Duration::from_millis(latency);
        let says = DIALECTS.iter().find(|(name, _)| *name == "epoch, up").expect("dialect").1;
        let server = Server { latency, ..Server::new(count, says) };
        let (refused, used) = run(server, 40, (1, 1), 1).await;
        assert!(refused <= 0.01 && used >= least, "{count:?}, {latency:?}: {refused:.3} {used:.3}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_goes_first_and_none_waits_for_it_for_ever() {
    let pace = pace(&limits().0);
    let first = let_go(&pace).await.expect("turn");
    let began = Instant::now();
    let second = let_go(&pace).await.expect("turn");
    assert_eq!(ms(began.elapsed()), 5000);
    drop((first, second));
    assert_eq!(ms(next(&pace).await), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_no_answer() {
    let pace = pace(&limits().0);
    let first = let_go(&pace).await.expect("turn");
    let (waiting, began) = (Arc::clone(&pace), Instant::now());
    let second = tokio::spawn(async move { let_go(&waiting).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(first);
    second.await.expect("task").expect("turn");
    assert_eq!(ms(began.elapsed()), 300);
}

#[tokio::test(start_paused = true)]
async fn what_is_waited_for_is_shown_while_it_is() {
    let pace = pace(&limits().0);
    answered(&pace, 200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "14")]).await;
    assert_eq!(pace.waiting(), None);
    let waiting = Arc::clone(&pace);
    let task = tokio::spawn(async move { let_go(&waiting).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(pace.waiting().as_deref(), Some("waiting 14 s for the quota to reset"));
    task.abort();
    let _ = task.await;
    assert_eq!(pace.waiting(), None);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_a_header_slows_all_down_until_it_is_forgotten() {
    let pace = pace(&limits().0);
    for _ in 0..20 {
        next(&pace).await;
    }
    answered(&pace, 429, &[]).await;
    let slowed = next(&pace).await;
    assert!(slowed >= Duration::from_millis(50), "{slowed:?}");
    for _ in 0..600 {
        next(&pace).await;
    }
    assert_eq!(next(&pace).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn processes_that_share_a_quota_take_their_parts() {
    for (dialect, says) in DIALECTS {
        let server = Server::new(Count::Fixed(0.0), says);
        let (refused, used) = run(server, 20, (1, 2), 2).await;
        assert!(refused <= 0.01 && used >= 0.9, "{dialect}: {refused:.3} {used:.3}");
    }
}

#[tokio::test(start_paused = true)]
async fn forty_windows_come_through_an_api_that_only_refuses() {
    for count in [Count::Fixed(0.0), Count::Sliding, Count::Bucket] {
        let (refused, used) = run(Server::new(count, |_, _, _, _| Vec::new()), 40, (1, 1), 1).await;
        assert!(refused <= 0.15 && used >= 0.5, "{count:?}: {refused:.3} {used:.3}");
    }
}

proptest::proptest! {
    /// Whatever headers say, the next wait is known and ends.
    #[test]
    fn no_header_is_too_odd(
        lines in proptest::collection::vec((0..12_usize, "[ -~]{0,24}|-?[0-9]{1,25}(\\.[0-9]{1,3})?"), 0..8),
        status in proptest::sample::select(vec![200_u16, 429, 503]),
    ) {
        let names = [
            "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-used", "x-ratelimit-reset",
            "x-rate-limit-reset-after", "ratelimit-limit", "ratelimit", "ratelimit-policy", "date", "age",
            "retry-after", "x-ratelimit-remaining-day",
        ];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("runtime");
        runtime.block_on(async {
            let pace = pace(&limits().0);
            for _ in 0..3 {
                let Ok(permit) = let_go(&pace).await else { break };
                let mut headers = HeaderMap::new();
                for (name, value) in &lines {
                    let name = HeaderName::from_static(names[*name]);
                    headers.append(name, HeaderValue::from_str(value).expect("value"));
                }
                permit.answered(StatusCode::from_u16(status).expect("status"), &headers);
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_token_keeps_the_others_back() {
    let pace = pace(&limits().0);
    let mut first = pace.turn().await.expect("turn");
    let waiting = Arc::clone(&pace);
    let second = tokio::spawn(async move { let_go(&waiting).await.map(drop) });
    // Longer than `rate_limit.max_wait`: it is no quota that is waited for.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!second.is_finished(), "it would have piled up behind the token");
    first.leaves();
    second.await.expect("task").expect("turn");
}
