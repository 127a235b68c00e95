//! The embedded payments API of `lakeward demo`: cursor pages on loopback, with the weather of a real one.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::demo::data::{self, Payment};
use crate::cli::demo::files::TOKEN;
use crate::error::{Error, ErrorKind, Result};

/// The largest page, whatever `count` asks for.
const PAGE: usize = 100;

/// The request of a window that is answered with 429 and `Retry-After: 1`.
const THROTTLED: u32 = 2;

/// The request of a window that is answered with 503.
const UNAVAILABLE: u32 = 5;

/// A running demo API; dropping it stops it.
#[derive(Debug)]
pub struct DemoApi {
    /// The URL that stream paths are appended to, without a slash at its end.
    pub base_url: String,
    stop: CancellationToken,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

impl DemoApi {
    /// Stops listening and waits until the last answer is sent.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // Its only errors are those of a listener that ends anyway.
            let _ = task.await;
        }
    }
}

impl Drop for DemoApi {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts the API on a loopback port that the system chooses.
///
/// # Errors
/// `Unexpected` when no loopback port can be listened on.
pub async fn start() -> Result<DemoApi> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Unexpected, "could not start the demo's API on 127.0.0.1")
            .hint("the demo needs a loopback network")
            .caused_by(error)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let api = Api { payments: Arc::new(data::payments()), requests: Arc::default() };
    let router = Router::new().route("/v1/payments", get(list)).with_state(api);
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let task =
        tokio::spawn(
            async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await },
        );
    Ok(DemoApi { base_url: format!("http://{address}/v1"), stop, task: Some(task) })
}

/// What the handler shares: the list, and how many requests each window has had.
#[derive(Clone)]
struct Api {
    payments: Arc<Vec<Payment>>,
    requests: Arc<Mutex<HashMap<(i64, i64), u32>>>,
}

/// The query of a list request.
#[derive(Deserialize)]
struct ListQuery {
    /// Unix seconds, inclusive.
    from: i64,
    /// Unix seconds, exclusive.
    to: i64,
    /// Records a page; 10 when absent, 100 at most.
    count: Option<usize>,
    /// Where the last page ended.
    cursor: Option<String>,
}

async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    query: std::result::Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    if !authorized(&headers) {
        return refuse(StatusCode::UNAUTHORIZED, "the bearer token is missing or wrong");
    }
    let Ok(Query(query)) = query else {
        return refuse(StatusCode::BAD_REQUEST, "from and to must be unix seconds");
    };
    match api.nth_request(&query) {
        THROTTLED => {
            let mut answer = refuse(StatusCode::TOO_MANY_REQUESTS, "too many requests");
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            return answer;
        }
        UNAVAILABLE => return refuse(StatusCode::SERVICE_UNAVAILABLE, "a deployment is under way"),
        _ => {}
    }
    let Some(skip) = query.cursor.as_deref().map_or(Some(0), offset_of) else {
        return refuse(StatusCode::BAD_REQUEST, "the cursor is not one of this API's");
    };
    let count = query.count.unwrap_or(10).clamp(1, PAGE);
    json(StatusCode::OK, api.page(&query, skip, count))
}

impl Api {
    /// Counts a window's requests, this one included, so that each fault comes once a window.
    fn nth_request(&self, query: &ListQuery) -> u32 {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = requests.entry((query.from, query.to)).or_default();
        *count += 1;
        *count
    }

    /// One page as JSON text: `count` records after the first `skip` of the window. The records'
    /// text is sent as it is, so that an amount of 380.50 keeps its last zero.
    fn page(&self, query: &ListQuery, skip: usize, count: usize) -> String {
        let window: Vec<&Payment> = self
            .payments
            .iter()
            .filter(|payment| (query.from..query.to).contains(&payment.created))
            .collect();
        let total = window.iter().filter(|payment| !payment.repeated).count();
        let end = skip.saturating_add(count).min(window.len());
        let records: Vec<&str> = window
            .get(skip.min(end)..end)
            .unwrap_or_default()
            .iter()
            .map(|payment| payment.json.as_str())
            .collect();
        let has_more = end < window.len();
        let next = if has_more { format!("\"{}\"", cursor_at(end)) } else { "null".to_owned() };
        format!(
            "{{\"data\":[{}],\"pagination\":{{\"total\":{total},\"has_more\":{has_more},\
             \"next_cursor\":{next}}}}}",
            records.join(",")
        )
    }
}

/// The cursor after `offset` records of a window.
fn cursor_at(offset: usize) -> String {
    format!("after_{offset}")
}

fn offset_of(cursor: &str) -> Option<usize> {
    cursor.strip_prefix("after_")?.parse().ok()
}

fn authorized(headers: &HeaderMap) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|token| token == TOKEN)
}

fn refuse(status: StatusCode, description: &str) -> Response {
    let code = status.as_u16();
    json(status, format!("{{\"error\":{{\"code\":{code},\"description\":\"{description}\"}}}}"))
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::cli::demo::data::expected;

    fn client() -> reqwest::Client {
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    async fn get(client: &reqwest::Client, url: &str, token: &str) -> (u16, Option<String>, Value) {
        let answer = client.get(url).bearer_auth(token).send().await.unwrap();
        let after = answer.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        (status, after, serde_json::from_str(&body).unwrap())
    }

    #[tokio::test]
    async fn every_page_of_a_day_with_one_429_and_one_503() {
        let api = start().await.unwrap();
        let client = client();
        for truth in expected() {
            let from = truth.day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
            let base =
                format!("{}/payments?from={from}&to={}&count=500", api.base_url, from + 86_400);
            let (mut url, mut records, mut faults) = (base.clone(), Vec::new(), Vec::new());
            loop {
                let (status, after, body) = get(&client, &url, TOKEN).await;
                if status != 200 {
                    faults.push((status, after));
                    continue;
                }
                let page = body["data"].as_array().unwrap();
                assert!(!page.is_empty() && page.len() <= 100);
                records.extend(page.iter().cloned());
                assert_eq!(body["pagination"]["total"], truth.written + truth.rejected);
                let next = &body["pagination"]["next_cursor"];
                assert_eq!(body["pagination"]["has_more"], Value::Bool(next.is_string()));
                match next.as_str() {
                    Some(cursor) => url = format!("{base}&cursor={cursor}"),
                    None => break,
                }
            }
            assert_eq!(faults, [(429, Some("1".to_owned())), (503, None)]);
            assert_eq!(records.len() as u64, truth.fetched);
            // The list shifted between the third and the fourth page.
            assert_eq!(records[297..300], records[300..303]);
        }
        api.stop().await;
    }

    #[tokio::test]
    async fn refuses_a_wrong_token_a_missing_bound_and_a_made_up_cursor() {
        let api = start().await.unwrap();
        let client = client();
        let url = format!("{}/payments", api.base_url);
        let wrong = get(&client, &format!("{url}?from=0&to=1"), "guess").await;
        assert_eq!(wrong.0, 401);
        assert!(wrong.2["error"]["description"].is_string());
        assert_eq!(get(&client, &url, TOKEN).await.0, 400);
        assert_eq!(get(&client, &format!("{url}?from=0&to=1&cursor=x"), TOKEN).await.0, 400);
        let empty = get(&client, &format!("{url}?from=5&to=9"), TOKEN).await;
        assert_eq!((empty.0, &empty.2["pagination"]["total"]), (200, &Value::from(0)));
    }

    #[tokio::test]
    async fn stops_when_dropped() {
        let api = start().await.unwrap();
        let url = format!("{}/payments?from=0&to=1", api.base_url);
        drop(api);
        for _ in 0..100 {
            if client().get(&url).send().await.is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the API still answers after it was dropped");
    }
}
