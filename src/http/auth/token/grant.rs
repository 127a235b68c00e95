//! What is asked of a token endpoint: one variant an auth type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use url::{Url, form_urlencoded};

use super::answer::{Granted, granted, logged_in};
use super::assertion::Assertion;
use super::endpoint::{Ask, Caller};
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};
use crate::http::auth::secret::required;
use crate::redact::{Secret, is_secret_key};
use crate::spec::auth::{Auth, ClientAuth, LoginValue, OauthClient};
use crate::spec::pointer::Pointer;

const FORM: &str = "application/x-www-form-urlencoded";

/// How a token is got.
#[derive(Debug)]
pub(super) enum Grant {
    /// RFC 6749 section 4.4.
    Client(Client),
    /// RFC 6749 section 6.
    Refresh {
        client: Client,
        declared: Secret,
        store: Store,
        /// Held from before a token is used up until the next one is kept.
        using_up: Semaphore,
    },
    /// A JSON request of the vendor's own.
    Login { url: Url, body: Vec<(String, Value)>, secrets: Vec<(String, Secret)>, token: Pointer },
    /// RFC 7523 section 2.1.
    Bearer { url: Url, assertion: Box<Assertion> },
}

/// An OAuth client with its secrets.
#[derive(Debug)]
pub(super) struct Client {
    declared: OauthClient,
    id: Secret,
    secret: Secret,
}

impl Grant {
    /// Resolves the secrets; `None` of an auth without a token endpoint.
    pub(super) fn resolve(auth: &Auth) -> Result<Option<Self>> {
        Ok(Some(match auth {
            Auth::ClientCredentials(client) => Self::Client(Client::resolve(client)?),
            Auth::RefreshToken { client, refresh_token, token_store } => {
                let client = Client::resolve(client)?;
                Self::Refresh {
                    declared: required(refresh_token)?,
                    store: Store::new(token_store.clone(), &client.declared.token_url, &client.id),
                    using_up: Semaphore::new(1),
                    client,
                }
            }
            Auth::JwtLogin { token_url, body, token } => {
                let (mut values, mut secrets) = (Vec::new(), Vec::new());
                for (key, value) in body {
                    let value = match value {
                        LoginValue::Plain(plain) => plain.clone(),
                        LoginValue::Secret(secret) => {
                            let secret = required(secret)?;
                            secrets.push((key.clone(), secret.clone()));
                            Value::from(secret.expose())
                        }
                    };
                    values.push((key.clone(), value));
                }
                Self::Login { url: token_url.clone(), body: values, secrets, token: token.clone() }
            }
            Auth::JwtBearer { token_url, private_key, algorithm, claims } => Self::Bearer {
                url: token_url.clone(),
                assertion: Box::new(Assertion::resolve(
                    token_url,
                    private_key,
                    *algorithm,
                    claims,
                )?),
            },
            Auth::None
            | Auth::ApiKey { .. }
            | Auth::Bearer { .. }
            | Auth::Basic { .. }
            | Auth::Hmac(_)
            | Auth::AwsSigv4 { .. } => return Ok(None),
        }))
    }

    /// Gets a token.
    pub(super) async fn obtain(&self, caller: &Caller) -> Result<Granted> {
        let now = || caller.clock.now();
        match self {
            Self::Client(client) => {
                let fields = [("grant_type", "client_credentials")];
                caller.ask(|| client.ask(&fields), |answer| granted(answer, now())).await
            }
            Self::Refresh { client, declared, store, using_up } => {
                // Held until the new one is kept: another process reads it then.
                let locked = store.lock().await?;
                let current = locked.current(declared)?;
                caller.scrubber.learn(&current);
                let fields = [("grant_type", "refresh_token"), ("refresh_token", current.expose())];
                let ask = || client.ask(&fields);
                let read = |answer: &Value| granted(answer, now());
                // Until the next one is kept.
                let (granted, _using_up) = caller.ask_once_open(ask, read, Some(using_up)).await?;
                if let Some(next) =
                    granted.refresh.as_ref().filter(|n| n.expose() != current.expose())
                {
                    caller.scrubber.learn(next);
                    locked.keep(declared, next)?;
                }
                Ok(granted)
            }
            Self::Login { url, body, token, .. } => {
                let body: Map<String, Value> = body.iter().cloned().collect();
                let body = Value::Object(body).to_string();
                let content_type = "application/json";
                let ask = || Ok(Ask { url, content_type, authorization: None, body: body.clone() });
                caller.ask(ask, |answer| logged_in(answer, token, now())).await
            }
            Self::Bearer { url, assertion } => {
                let ask = || {
                    let signed = assertion.sign(now())?;
                    caller.scrubber.learn(&signed);
                    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                    let fields = [("grant_type", grant), ("assertion", signed.expose())];
                    Ok(Ask { url, content_type: FORM, authorization: None, body: form(fields) })
                };
                caller.ask(ask, |answer| granted(answer, now())).await
            }
        }
    }

    /// Waits until no token is used up without the next one kept, and has none used up from then on.
    pub(super) async fn settle(&self) {
        if let Self::Refresh { using_up, .. } = self {
            let _last = using_up.acquire().await;
            using_up.close();
        }
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Client(client) => client.secrets(),
            Self::Refresh { client, declared, .. } => {
                client.secrets().into_iter().chain([declared.clone()]).collect()
            }
            Self::Login { secrets, .. } => {
                secrets.iter().map(|(_, secret)| secret.clone()).collect()
            }
            Self::Bearer { assertion, .. } => assertion.secrets(),
        }
    }

    /// Those that are no names: neither the client's, nor the user's in a login.
    pub(super) fn telling_secrets(&self) -> Vec<Secret> {
        match self {
            Self::Client(client) => client.telling_secrets(),
            Self::Refresh { client, declared, .. } => {
                client.telling_secrets().into_iter().chain([declared.clone()]).collect()
            }
            Self::Login { secrets, .. } => {
                let telling = secrets.iter().filter(|(key, _)| is_secret_key(key));
                telling.map(|(_, secret)| secret.clone()).collect()
            }
            Self::Bearer { assertion, .. } => assertion.secrets(),
        }
    }
}

impl Client {
    fn resolve(declared: &OauthClient) -> Result<Self> {
        Ok(Self {
            declared: declared.clone(),
            id: required(&declared.client_id)?,
            secret: required(&declared.client_secret)?,
        })
    }

    fn ask(&self, fields: &[(&str, &str)]) -> Result<Ask<'_>> {
        let declared = &self.declared;
        let mut all: Vec<(&str, &str)> = fields.to_vec();
        all.extend(declared.scope.as_deref().map(|scope| ("scope", scope)));
        all.extend(declared.extra.iter().map(|(key, value)| (&**key, &**value)));
        let authorization = match declared.client_auth {
            ClientAuth::Body => {
                all.push(("client_id", self.id.expose()));
                all.push(("client_secret", self.secret.expose()));
                None
            }
            ClientAuth::Basic => {
                let mut value = HeaderValue::try_from(format!("Basic {}", self.basic().expose()))
                    .map_err(|error| {
                    let what = "client_id and client_secret make no header";
                    Error::new(ErrorKind::Config, what).caused_by(error)
                })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Ask { url: &declared.token_url, content_type: FORM, authorization, body: form(all) })
    }

    /// Both are escaped as in a form first: RFC 6749 section 2.3.1.
    fn basic(&self) -> Secret {
        let escaped = |secret: &Secret| -> String {
            form_urlencoded::byte_serialize(secret.expose().as_bytes()).collect()
        };
        Secret::new(STANDARD.encode(format!("{}:{}", escaped(&self.id), escaped(&self.secret))))
    }

    fn telling_secrets(&self) -> Vec<Secret> {
        vec![self.basic(), self.secret.clone()]
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.basic(), self.secret.clone(), self.id.clone()]
    }
}

fn form<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
