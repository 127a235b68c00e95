//! Authentication: the declared type, its secrets resolved, put on one request at a time.
//!
//! An authenticator is asked before every request that goes to the source's own origin, and to no other.

mod api_key;
mod basic;
mod bearer;
mod hmac;
mod query;
mod secret;
pub(in crate::http) mod signing;
mod sigv4;
pub(in crate::http) mod token;

use std::sync::Arc;

use reqwest::Request;
use url::Url;

use self::api_key::ApiKey;
use self::basic::Basic;
use self::bearer::Bearer;
use self::hmac::HmacSigner;
use self::query::without_query;
use self::signing::Signing;
use self::sigv4::Sigv4;
use self::token::Tokens;
use crate::error::Result;
use crate::http::excerpt::TELLING_BYTES;
use crate::redact::Secret;
use crate::spec::auth::Auth;

/// How a client's requests are authenticated. One variant a `type`.
#[derive(Debug)]
pub enum Authenticator {
    /// No credentials.
    None,
    /// A key in a header or in the query.
    ApiKey(ApiKey),
    /// `Authorization: Bearer`.
    Bearer(Bearer),
    /// `Authorization: Basic`.
    Basic(Basic),
    /// A signature by a shared secret.
    Hmac(HmacSigner),
    /// AWS Signature Version 4.
    AwsSigv4(Sigv4),
    /// A token from an endpoint.
    Token(Arc<Tokens>),
}

impl Authenticator {
    /// Resolves the declared secrets.
    ///
    /// # Errors
    /// `Config` when a secret is absent, empty where it must not be, or cannot stand in a header.
    pub fn resolve(auth: &Auth) -> Result<Self> {
        Ok(match auth {
            Auth::None => Self::None,
            Auth::ApiKey { place, value } => Self::ApiKey(ApiKey::resolve(place, value)?),
            Auth::Bearer { token } => Self::Bearer(Bearer::resolve(token)?),
            Auth::Basic { username, password } => Self::Basic(Basic::resolve(username, password)?),
            Auth::Hmac(hmac) => Self::Hmac(HmacSigner::resolve(hmac)?),
            Auth::AwsSigv4 { region, service } => Self::AwsSigv4(Sigv4::resolve(region, service)?),
            Auth::ClientCredentials(_)
            | Auth::RefreshToken { .. }
            | Auth::JwtLogin { .. }
            | Auth::JwtBearer { .. } => {
                Tokens::resolve(auth)?.map_or(Self::None, |tokens| Self::Token(Arc::new(tokens)))
            }
        })
    }

    /// Puts the credentials on `request`; not those of a token, which [`Tokens::current`] gives.
    ///
    /// # Errors
    /// `Config` where a signature cannot be made, or no header can hold it.
    pub(in crate::http) fn apply(
        &self,
        request: &mut Request,
        signing: &Signing<'_>,
    ) -> Result<()> {
        match self {
            Self::None | Self::Token(_) => {}
            Self::ApiKey(key) => key.apply(request),
            Self::Bearer(bearer) => bearer.apply(request),
            Self::Basic(basic) => basic.apply(request),
            Self::Hmac(hmac) => hmac.apply(request, signing)?,
            Self::AwsSigv4(sigv4) => sigv4.apply(request, signing)?,
        }
        Ok(())
    }

    /// The tokens, of a type that has them.
    pub(in crate::http) fn tokens(&self) -> Option<&Arc<Tokens>> {
        if let Self::Token(tokens) = self { Some(tokens) } else { None }
    }

    /// Whether each request has a signature of its own.
    pub(in crate::http) fn signs(&self) -> bool {
        matches!(self, Self::Hmac(_) | Self::AwsSigv4(_))
    }

    /// The query parameter that carries a credential, if one does.
    pub fn query_key(&self) -> Option<&str> {
        match self {
            Self::ApiKey(key) => key.query_key(),
            Self::None
            | Self::Bearer(_)
            | Self::Basic(_)
            | Self::Hmac(_)
            | Self::AwsSigv4(_)
            | Self::Token(_) => None,
        }
    }

    /// Whether a header of this name carries a credential, if it is not one that is known for it.
    pub fn carries(&self, name: &str) -> bool {
        match self {
            Self::ApiKey(key) => key.header().is_some_and(|own| own.eq_ignore_ascii_case(name)),
            Self::Hmac(hmac) => hmac.carries(name),
            Self::AwsSigv4(_) => Sigv4::carries(name),
            Self::None | Self::Bearer(_) | Self::Basic(_) | Self::Token(_) => false,
        }
    }

    /// Every credential as it is sent, to take it out of what is shown.
    pub fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::None => Vec::new(),
            Self::ApiKey(key) => key.secrets(),
            Self::Bearer(bearer) => bearer.secrets(),
            Self::Basic(basic) => basic.secrets(),
            Self::Hmac(hmac) => hmac.secrets(),
            Self::AwsSigv4(sigv4) => sigv4.secrets(),
            Self::Token(tokens) => tokens.secrets(),
        }
    }

    /// The credentials that stand in no URL by chance: neither short ones, nor a user name beside a password.
    /// A user `payments` is no reason to refuse `/payments?page=2`, nor the password `100` to drop a `limit=100`.
    pub fn telling_secrets(&self) -> Vec<Secret> {
        let mut secrets = match self {
            Self::Basic(basic) => basic.telling_secrets(),
            Self::Token(tokens) => tokens.telling_secrets(),
            Self::None | Self::ApiKey(_) | Self::Bearer(_) | Self::Hmac(_) | Self::AwsSigv4(_) => {
                self.secrets()
            }
        };
        secrets.retain(|secret| secret.expose().len() >= TELLING_BYTES);
        secrets
    }

    /// Takes the credentials out of a URL that the API named, which may echo them: it is checkpointed,
    /// and it may lead to another origin.
    pub fn strip(&self, url: &mut Url) {
        let secrets = self.telling_secrets();
        without_query(url, |key, value| {
            self.query_key() == Some(key) || secrets.iter().any(|secret| secret.expose() == value)
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::error::ErrorKind;
    use crate::spec::auth::{KeyPlace, SecretRef};

    fn file(text: &str) -> (tempfile::NamedTempFile, SecretRef) {
        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), text).expect("write");
        let secret = SecretRef::File(file.path().to_owned());
        (file, secret)
    }

    fn request(url: &str) -> Request {
        Request::new(reqwest::Method::GET, url.parse().expect("url"))
    }

    #[test]
    fn each_type_puts_its_credentials_in_place() {
        let (_a, user) = file("Aladdin\n");
        let (_b, password) = file("open sesame");
        let header = |auth: &Auth, name: &str| {
            let mut request = request("http://h/a?x=%20");
            let signing = Signing { body: b"", now: DateTime::UNIX_EPOCH };
            let auth = Authenticator::resolve(auth).expect("auth");
            auth.apply(&mut request, &signing).expect("applied");
            let value = request.headers().get(name).map(|v| v.to_str().expect("text").to_owned());
            (value.unwrap_or_default(), request.url().to_string())
        };
        let basic = Auth::Basic { username: user.clone(), password: password.clone() };
        assert_eq!(header(&basic, "authorization").0, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let bearer = Auth::Bearer { token: user.clone() };
        assert_eq!(header(&bearer, "authorization").0, "Bearer Aladdin");
        let place = KeyPlace::Header("X-Api-Key".into());
        let key = Auth::ApiKey { place, value: user.clone() };
        assert_eq!(header(&key, "x-api-key").0, "Aladdin");
        let key = Auth::ApiKey { place: KeyPlace::Query("k".into()), value: password };
        assert_eq!(header(&key, "x").1, "http://h/a?x=%20&k=open+sesame");
        assert_eq!(
            header(&Auth::None, "authorization"),
            (String::new(), "http://h/a?x=%20".into())
        );
    }

    #[test]
    fn a_key_in_the_query_replaces_an_echoed_one() {
        let (_a, value) = file("S");
        let auth = Auth::ApiKey { place: KeyPlace::Query("k".into()), value };
        let auth = Authenticator::resolve(&auth).expect("auth");
        let mut request = request("http://h/a?k=old&b=%7E&K=1");
        let signing = Signing { body: b"", now: DateTime::UNIX_EPOCH };
        auth.apply(&mut request, &signing).expect("applied");
        assert_eq!(request.url().as_str(), "http://h/a?b=%7E&K=1&k=S");
        let mut url = request.url().clone();
        auth.strip(&mut url);
        assert_eq!(url.as_str(), "http://h/a?b=%7E&K=1");
    }

    #[test]
    fn bad_secrets_are_named_not_shown() {
        let (_a, empty) = file("\n");
        let (_b, broken) = file("hunter2\nsecond line");
        let (_c, colon) = file("hunter2:x");
        for auth in [
            Auth::Bearer { token: empty.clone() },
            Auth::Bearer { token: broken.clone() },
            Auth::ApiKey { place: KeyPlace::Query("k".into()), value: empty.clone() },
            Auth::ApiKey { place: KeyPlace::Header("k".into()), value: broken },
            Auth::Basic { username: colon, password: empty },
            Auth::Bearer { token: SecretRef::Env("LAKEWARD_TEST_UNSET".into()) },
        ] {
            let error = Authenticator::resolve(&auth).expect_err("error");
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error:?}").contains("hunter2"), "{error}");
        }
    }
}
