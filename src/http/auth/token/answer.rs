//! What a token endpoint answered: RFC 6749 sections 5.1 and 5.2, and the `exp` of a JWT.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::redact::Secret;
use crate::spec::pointer::Pointer;

/// A token, and what came with it.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) token: Secret,
    /// How long it lives from now on.
    pub(super) lifetime: Option<TimeDelta>,
    /// The next refresh token, where the endpoint gives one.
    pub(super) refresh: Option<Secret>,
}

/// Reads an answer to a grant.
///
/// # Errors
/// What it lacks, as the end of a sentence that begins with the answer.
pub(super) fn granted(answer: &Value, now: DateTime<Utc>) -> Result<Granted, String> {
    let text = |key: &str| answer.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let token = text("access_token").ok_or("has no access_token")?;
    // RFC 6749 section 7.1: of a type that is not understood, the token must not be used.
    if let Some(kind) = text("token_type").filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        let kind: String = kind.chars().take(40).collect();
        return Err(format!("has a token of type `{kind}`, where only Bearer is known"));
    }
    let lifetime = answer.get("expires_in").and_then(seconds).or_else(|| lifetime_of(token, now));
    Ok(Granted {
        token: Secret::new(token),
        lifetime,
        refresh: text("refresh_token").map(Secret::new),
    })
}

/// Reads an answer to a login.
///
/// # Errors
/// As [`granted`].
pub(super) fn logged_in(
    answer: &Value,
    pointer: &Pointer,
    now: DateTime<Utc>,
) -> Result<Granted, String> {
    let token = answer.pointer(&pointer.to_string()).and_then(Value::as_str);
    let token = token.filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| format!("has no text at {pointer}"))?;
    Ok(Granted { token: Secret::new(token), lifetime: lifetime_of(token, now), refresh: None })
}

/// Seconds, which some endpoints send as text.
fn seconds(value: &Value) -> Option<TimeDelta> {
    let seconds = match value {
        Value::Number(number) => {
            number.as_i64().or_else(|| number.to_string().split('.').next()?.parse().ok())
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    TimeDelta::try_seconds(seconds.filter(|seconds| *seconds > 0)?)
}

/// How long a JWT lives, by its own claims (RFC 7519 section 4.1). From `iat` to `exp`, where it says both: two clocks
/// need not agree then. The signature is the API's to check.
fn lifetime_of(token: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let instant = |key: &str| claims.get(key)?.as_f64().filter(|at| at.abs() < 1e11);
    let begins = instant("iat").unwrap_or(now.timestamp().to_string().parse().ok()?);
    let life = instant("exp")? - begins;
    #[expect(clippy::cast_possible_truncation, reason = "below 1e12, as both ends are below 1e11")]
    TimeDelta::try_seconds(life as i64).filter(|life| *life > TimeDelta::zero())
}

/// The code and the description of an error.
pub(super) type Named = (String, Option<String>);

/// The error that RFC 6749 section 5.2 has an endpoint name, with its description.
pub(super) fn error_of(body: &[u8]) -> Option<Named> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    // Whole: cut before credentials are taken out, one that straddles the cut would show its beginning.
    let text = |key: &str| Some(answer.get(key)?.as_str()?.to_owned());
    let code = text("error").filter(|code| !code.is_empty())?;
    Some((code, text("error_description")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwt(claims: &Value) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_lifetime_comes_as_a_number_as_text_or_in_the_token() {
        let now = DateTime::from_timestamp(1000, 0).expect("instant");
        let life = |answer: Value| {
            granted(&answer, now).expect("token").lifetime.map(|life| life.num_seconds())
        };
        assert_eq!(life(json!({"access_token": "a", "expires_in": 3600})), Some(3600));
        assert_eq!(
            life(json!({"access_token": "a", "expires_in": "60", "token_type": "bearer"})),
            Some(60)
        );
        assert_eq!(life(json!({"access_token": "a", "expires_in": 59.9})), Some(59));
        for odd in [json!(null), json!(-1), json!(0), json!("soon"), json!([1]), json!(1e300)] {
            assert_eq!(life(json!({"access_token": "a", "expires_in": odd})), None, "{odd}");
        }
        assert_eq!(life(json!({"access_token": jwt(&json!({"exp": 1300}))})), Some(300));
        // By the server's clock, which is an hour ahead.
        assert_eq!(
            life(json!({"access_token": jwt(&json!({"iat": 4600, "exp": 4700}))})),
            Some(100)
        );
        for odd in [json!({"exp": 900}), json!({"exp": "soon"}), json!({}), json!({"exp": 1e300})] {
            assert_eq!(life(json!({"access_token": jwt(&odd)})), None, "{odd}");
        }
    }

    #[test]
    fn an_answer_without_a_usable_token_says_what_it_lacks() {
        let now = DateTime::UNIX_EPOCH;
        let said = |answer: Value| granted(&answer, now).expect_err("no token");
        assert_eq!(said(json!({"token": "a"})), "has no access_token");
        assert_eq!(said(json!([])), "has no access_token");
        assert_eq!(said(json!({"access_token": ""})), "has no access_token");
        let said = said(json!({"access_token": "a", "token_type": "mac"}));
        assert_eq!(said, "has a token of type `mac`, where only Bearer is known");
        let pointer = Pointer::parse("/data/token").expect("pointer");
        let answer = json!({"data": {"token": "t"}});
        assert_eq!(logged_in(&answer, &pointer, now).expect("token").token.expose(), "t");
        let said = logged_in(&json!({"token": "t"}), &pointer, now).expect_err("no token");
        assert_eq!(said, "has no text at /data/token");
    }
}
