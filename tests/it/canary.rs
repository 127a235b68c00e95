//! A secret planted in every place that takes one, every failure provoked, the log at its loudest: it is nowhere to be read.
//!
//! The servers echo whatever they are sent, in bodies, headers and URLs, as a careless API does.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::support::cli::{Ended, SourceYaml, Workspace};
use super::support::paged_api::Style;
use super::support::raw_server::{RawServer, Reply, Request};

/// What every secret begins with: letters, which no escape changes.
const MARK: &str = "Cnry7";
/// What a user name and password in `Authorization: Basic` begin with.
const MARKED_USER: &str = "Cnry7user";
const LOUD: [&str; 4] = ["--log", "json", "--log-level", "trace"];
const AT_ONCE: usize = 8;

/// A place for secrets: `auth`, and the environment that it reads.
#[derive(Clone)]
struct Slot {
    name: &'static str,
    auth: String,
    /// Whether the secret, or a token that is got by it, is sent to the API.
    is_sent: bool,
    gets_tokens: bool,
}

fn environment() -> Vec<(&'static str, String)> {
    let planted = |name: &'static str| (name, format!("{MARK}{}/+=\"x", name.to_lowercase()));
    vec![
        planted("KEY"),
        planted("CLIENT_SECRET"),
        planted("REFRESH_TOKEN"),
        planted("PASSWORD"),
        planted("HMAC_SECRET"),
        planted("AWS_SECRET_ACCESS_KEY"),
        planted("AWS_SESSION_TOKEN"),
        ("USER_NAME", MARKED_USER.to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
    ]
}

fn slots(api: &str) -> Vec<Slot> {
    let token_url = format!("token_url: '{api}/token'");
    let client = format!(
        "{token_url}, client_id: {{ env: USER_NAME }}, client_secret: {{ env: CLIENT_SECRET }}"
    );
    let plain =
        |name, auth: &str| Slot { name, auth: auth.to_owned(), is_sent: true, gets_tokens: false };
    let token = |name, auth| Slot { name, auth, is_sent: true, gets_tokens: true };
    vec![
        plain("header", "{ type: api_key, header: X-Api-Key, value: { env: KEY } }"),
        plain("query", "{ type: api_key, query: key, value: { env: KEY } }"),
        plain("bearer", "{ type: bearer, token: { env: KEY } }"),
        plain(
            "basic",
            "{ type: basic, username: { env: USER_NAME }, password: { env: PASSWORD } }",
        ),
        token("client in the form", format!("{{ type: oauth2_client_credentials, {client} }}")),
        token(
            "client in a header",
            format!("{{ type: oauth2_client_credentials, {client}, client_auth: basic }}"),
        ),
        token(
            "refresh token",
            format!(
                "{{ type: oauth2_refresh_token, {client}, refresh_token: {{ env: REFRESH_TOKEN }}, token_store: store.json }}"
            ),
        ),
        token(
            "login",
            format!(
                "{{ type: jwt_login, {token_url}, token: /access_token, body: {{ user: {{ env: USER_NAME }}, password: {{ env: PASSWORD }} }} }}"
            ),
        ),
        token(
            "assertion",
            format!(
                "{{ type: jwt_bearer, {token_url}, algorithm: HS256, private_key: {{ env: KEY }}, claims: {{ iss: me }} }}"
            ),
        ),
        Slot {
            is_sent: false,
            ..plain(
                "hmac",
                "{ type: hmac, secret: { env: HMAC_SECRET }, string_to_sign: '{{ timestamp }}{{ path }}', headers: { X-Signature: '{{ signature }}' } }",
            )
        },
        plain("sigv4", "{ type: aws_sigv4, region: eu-west-1, service: execute-api }"),
    ]
}

/// Everything that a request brought, as one text.
fn echo(request: &Request) -> String {
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let body = String::from_utf8_lossy(&request.body);
    format!("{} {} {body}", request.target, headers.join(" "))
}

fn in_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn in_url(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// One page, and its end.
fn page(next: &str) -> Reply {
    let record = r#"{"id":"a","amount":1,"created_at":1773705600}"#;
    Reply::json(200, format!(r#"{{"data":[{record}],"next":{next},"pagination":{{"total":1}}}}"#))
}

const FAILURES: [&str; 14] = [
    "none",
    "400",
    "401",
    "403",
    "404",
    "429",
    "500",
    "html",
    "no records",
    "redirect away",
    "redirect",
    "next url",
    "cut",
    "slow",
];
const TOKEN_FAILURES: [&str; 6] = ["400", "401", "500", "html", "redirect away", "cut"];

/// What goes wrong, with an echo of the request wherever it fits.
fn fail(how: &str, request: &Request) -> Reply {
    let said = echo(request);
    let answer = format!(r#"{{"error":"invalid_grant","error_description":{}}}"#, in_json(&said));
    match how {
        "html" => Reply::new(200, &format!("text/html; x={}", in_url(&said)), format!("<p>{said}")),
        "no records" => Reply::json(200, answer),
        "redirect away" => Reply::with_headers(
            302,
            &[("Location", &format!("http://127.0.0.2:9/?x={}", in_url(&said)))],
            said,
        ),
        "redirect" => {
            Reply::with_headers(302, &[("Location", &format!("/landed?x={}", in_url(&said)))], said)
        }
        "next url" => page(&in_json(&format!("/payments?x={}", in_url(&said)))),
        "cut" => Reply::cut(&answer, answer.len() - 1),
        "slow" => page("null").after(Duration::from_millis(900)),
        status => Reply::json(status.parse().unwrap(), answer),
    }
}

fn serve(how: &'static str, at_token: bool) -> RawServer {
    RawServer::start(move |request, number| match request.path() {
        "/token" if at_token => fail(how, request),
        "/token" => Reply::json(
            200,
            format!(
                r#"{{"access_token":"{MARK}access{number}","refresh_token":"{MARK}rotated{number}","expires_in":3600}}"#
            ),
        ),
        _ if at_token || how == "none" => page("null"),
        _ => fail(how, request),
    })
}

fn workspace(api: &RawServer, slot: &Slot, timeout: &str) -> Workspace {
    let mut source = SourceYaml::new(&api.base_url(), Style::NextUrl);
    source.auth = slot.auth.clone();
    source.timeout = timeout.to_owned();
    Workspace::new(&source)
}

fn run(workspace: &Workspace, args: &[&str]) -> Ended {
    let command = workspace.lakeward(&[args, &LOUD].concat());
    environment().iter().fold(command, |command, (name, value)| command.env(name, value)).run()
}

const EXTRACT: [&str; 6] = ["extract", "source.yaml", "--lake", "lake", "--date", "2026-03-17"];

/// Where a secret is to be read: in `text`, plain or as `Authorization: Basic` has it.
fn leak(text: &[u8]) -> Option<String> {
    // Nine bytes: what follows them changes nothing.
    let basic = STANDARD.encode(MARKED_USER);
    let found = |mark: &str| text.windows(mark.len()).position(|window| window == mark.as_bytes());
    let at = found(MARK).or_else(|| found(&basic))?;
    let from = at.saturating_sub(80);
    Some(String::from_utf8_lossy(text.get(from..text.len().min(at + 80)).unwrap()).into_owned())
}

/// Asserts that neither what was said nor what was written holds a secret.
#[track_caller]
fn is_tight(what: &str, ended: &Ended, workspace: &Workspace) {
    assert!(!ended.stderr.contains("panicked"), "{what}: {ended}");
    for said in [&ended.stdout, &ended.stderr] {
        assert_eq!(leak(said.as_bytes()), None, "{what}: {ended}");
    }
    if workspace.path("lake").exists() {
        written(&workspace.path("lake"), &mut |path, bytes| {
            assert_eq!(leak(bytes), None, "{what}: {}", path.display());
        });
    }
}

fn written(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => written(&path, look),
            false => look(&path, &std::fs::read(&path).unwrap()),
        }
    }
}

/// The last part of the JWT that a token was asked for with.
fn assertion_signature(request: &Request) -> Option<String> {
    let form = url::form_urlencoded::parse(&request.body);
    let (_, jwt) = form.into_iter().find(|(key, _)| key == "assertion")?;
    jwt.rsplit('.').next().map(str::to_owned)
}

/// One failure of one slot; whether it was the API's or the token endpoint's.
fn provoke(how: &'static str, at_token: bool, index: usize) {
    let api = serve(how, at_token);
    let slot = slots(&api.base_url()).swap_remove(index);
    if at_token && !slot.gets_tokens {
        return;
    }
    let workspace = workspace(&api, &slot, if how == "slow" { "700ms" } else { "5s" });
    let what =
        format!("{} of the {}, {how}", slot.name, if at_token { "token endpoint" } else { "API" });
    let ended = run(&workspace, &EXTRACT);
    let fails = how != "none";
    assert_eq!(ended.code != Some(0), fails, "{what}: {ended}");
    is_tight(&what, &ended, &workspace);
    let asked = api.requests();
    for signature in asked.iter().filter_map(assertion_signature) {
        assert!(!format!("{ended}").contains(&signature), "{what}: {ended}");
    }
    let is_planted = |request: &Request| {
        leak(echo(request).as_bytes()).is_some() || assertion_signature(request).is_some()
    };
    assert_eq!(asked.iter().any(is_planted), slot.is_sent, "{what}: was anything planted?");
    if slot.is_sent {
        is_tight(&what, &run(&workspace, &["peek", "source.yaml"]), &workspace);
    }
}

#[test]
fn no_failure_shows_a_secret() {
    let count = slots("http://127.0.0.1").len();
    let cases: Vec<(&'static str, bool, usize)> = FAILURES
        .iter()
        .map(|how| (*how, false))
        .chain(TOKEN_FAILURES.iter().map(|how| (*how, true)))
        .flat_map(|(how, at_token)| (0..count).map(move |slot| (how, at_token, slot)))
        .collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((how, at_token, slot)) =
                    cases.get(next.fetch_add(1, Ordering::SeqCst))
                {
                    provoke(how, *at_token, *slot);
                }
            });
        }
    });
}

/// A workspace whose source has these lines.
fn declared(api: &str, auth: &str, top: &str) -> Workspace {
    let mut source = SourceYaml::new(api, Style::NextUrl);
    source.auth = auth.to_owned();
    let http = format!("http: {{ timeout: 5s, {top} }}");
    Workspace::new(&source).with("source.yaml", |text| {
        text.replace("http: { timeout: 5s, connect_timeout: 2s }", &http)
    })
}

#[test]
fn no_proxy_shows_its_credentials() {
    let auth = "proxy_auth: { username: { env: USER_NAME }, password: { env: PASSWORD } }";
    for base in ["http://api.invalid", "https://api.invalid"] {
        for status in [407, 403, 500] {
            let proxy =
                RawServer::start(move |request, _| Reply::new(status, "text/plain", echo(request)));
            let url = proxy.base_url();
            let by_file = declared(base, "{ type: none }", &format!("proxy: '{url}', {auth}"));
            let by_environment = declared(base, "{ type: none }", "connect_timeout: 2s");
            let with = url.replace("://", &format!("://{MARKED_USER}:{MARK}secret%2F@"));
            for (workspace, env) in [(by_file, ""), (by_environment, with.as_str())] {
                let command = workspace.lakeward(&[&EXTRACT[..], &LOUD].concat());
                let command = command.env("HTTP_PROXY", env).env("HTTPS_PROXY", env);
                let planted = environment();
                let ended =
                    planted.iter().fold(command, |c, (name, value)| c.env(name, value)).run();
                assert!(matches!(ended.code, Some(3..=5)), "{ended}");
                is_tight(&format!("{base} by a proxy that says {status}"), &ended, &workspace);
            }
            let is_planted = |request: &Request| leak(echo(request).as_bytes()).is_some();
            assert!(proxy.requests().iter().all(is_planted) && proxy.count() > 1);
        }
    }
}

#[test]
fn no_unusable_secret_is_shown() {
    let api = RawServer::start(|_, _| page("null"));
    let url = api.base_url();
    let client = format!(
        "token_url: '{url}/token', client_id: {{ env: USER_NAME }}, client_secret: {{ env: CLIENT_SECRET }}"
    );
    let refresh = |store: &str| {
        format!(
            "{{ type: oauth2_refresh_token, {client}, refresh_token: {{ env: REFRESH_TOKEN }}, token_store: {store} }}"
        )
    };
    let bearer = "{ type: bearer, token: { file: secret.txt } }";
    for (what, auth, top, says) in [
        ("two lines in a header", bearer, "", "secret.txt"),
        ("no PEM", "{ type: none }", "client_cert: { cert: secret.txt }", "client_cert"),
        (
            "no key",
            "{ type: none }",
            "client_cert: { cert: cert.pem, key: { file: secret.txt } }",
            "client_cert",
        ),
        ("no CA", "{ type: none }", "ca_bundle: secret.txt", "ca_bundle"),
        ("a store of nonsense", &refresh("secret.txt"), "", "secret.txt"),
        ("a store without a folder", &refresh("none/store.json"), "", "store.json"),
        (
            "an RSA key that is none",
            &format!(
                "{{ type: jwt_bearer, token_url: '{url}/token', algorithm: RS256, private_key: {{ file: secret.txt }} }}"
            ),
            "",
            "secret.txt",
        ),
        ("a secret in the file", "{ type: bearer, token: Cnry7literal }", "", "token"),
        ("one misspelt", "{ type: bearer, tokn: Cnry7literal }", "", "tokn"),
        (
            "a proxy with a password",
            "{ type: none }",
            "proxy: 'http://u:Cnry7literal@p:1'",
            "proxy",
        ),
    ] {
        let url = if top.contains("cert") { url.replace("http:", "https:") } else { url.clone() };
        let workspace = declared(&url, auth, top);
        workspace.write("secret.txt", &format!("{MARK}first\n{MARK}second\n"));
        workspace
            .write("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let ended = run(&workspace, &EXTRACT);
        assert!(matches!(ended.code, Some(2 | 3 | 6)), "{what}: {ended}");
        assert!(ended.stderr.contains(says), "{what}: {ended}");
        is_tight(what, &ended, &workspace);
        is_tight(what, &run(&workspace, &["check", "source.yaml"]), &workspace);
    }
    assert_eq!(api.count(), 0, "nothing was asked for");
}

#[test]
fn no_lake_shows_what_it_is_reached_by() {
    let api = RawServer::start(|_, _| page("null"));
    let s3 = RawServer::start(|request, _| Reply::new(403, "application/xml", echo(request)));
    let workspace = declared(&api.base_url(), "{ type: none }", "connect_timeout: 2s");
    let lake = ["extract", "source.yaml", "--lake", "s3://bucket/lake", "--date", "2026-03-17"];
    let command = workspace.lakeward(&[&lake[..], &LOUD].concat());
    let command = command
        .env("AWS_ENDPOINT_URL", &s3.base_url())
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "eu-west-1");
    let planted = environment();
    let ended =
        planted.iter().fold(command, |command, (name, value)| command.env(name, value)).run();
    assert_eq!(ended.code, Some(6), "{ended}");
    is_tight("S3 that refuses", &ended, &workspace);
    let is_planted = |request: &Request| leak(echo(request).as_bytes()).is_some();
    assert!(s3.requests().iter().any(is_planted), "nothing was planted");
}

/// Records that name URLs as they were asked for, key and all: the data is the user's, the reports are not to show it.
#[test]
fn no_report_shows_a_credential_that_records_repeat() {
    let api = RawServer::start(|request, _| {
        let asked = in_json(&request.target);
        let record = format!(
            r#"{{"id":{asked},"amount":1,"created_at":1773705600,"url":{asked},"odd":"{}"}}"#,
            request.target.repeat(2)
        );
        Reply::json(200, format!(r#"{{"data":[{record}],"next":null,"pagination":{{"total":1}}}}"#))
    });
    let mut source = SourceYaml::new(&api.base_url(), Style::NextUrl);
    source.auth = "{ type: api_key, query: key, value: { env: KEY } }".to_owned();
    let workspace = Workspace::new(&source);
    let ended = run(&workspace, &EXTRACT);
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(api.requests()[0].target.contains(MARK));
    for said in [&ended.stdout, &ended.stderr] {
        assert_eq!(leak(said.as_bytes()), None, "{ended}");
    }
    let mut reports = 0;
    written(&workspace.path("lake"), &mut |path, bytes| {
        let inside = path.to_string_lossy().into_owned();
        if inside.contains("/drift/") || inside.contains("/windows/") {
            assert_eq!(leak(bytes), None, "{inside}: {}", String::from_utf8_lossy(bytes));
            reports += usize::from(String::from_utf8_lossy(bytes).contains("[redacted]"));
        }
    });
    assert_eq!(reports, 1, "the drift report has samples of it");
}
