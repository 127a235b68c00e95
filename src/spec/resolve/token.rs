//! Auth by tokens that are got from a token endpoint.

use serde_json::Value;
use url::Url;

use crate::redact::is_secret_key;
use crate::spec::auth::{Auth, ClientAuth, JwtAlgorithm, LoginValue, OauthClient};
use crate::spec::declared::auth as declared;
use crate::spec::declared::ordered::Ordered;
use crate::spec::document::{Document, Place};
use crate::spec::resolve::secret::secret;
use crate::spec::resolve::values::{path, pointer};

/// Resolves `auth` of a type that gets its token from an endpoint.
pub(super) fn token(
    document: &mut Document,
    place: &Place,
    written: &declared::Auth,
) -> Option<Auth> {
    match written {
        declared::Auth::ClientCredentials { .. } => {
            client(document, place, written).map(Auth::ClientCredentials)
        }
        declared::Auth::RefreshToken { refresh_token, token_store, .. } => {
            let client = client(document, place, written);
            let first = secret(document, &place.key("refresh_token"), refresh_token.as_ref());
            let at = place.key("token_store");
            let store = token_store.as_deref().and_then(|text| path(document, &at, text));
            Some(Auth::RefreshToken { client: client?, refresh_token: first?, token_store: store? })
        }
        declared::Auth::JwtLogin { token_url, body, token } => {
            let url = endpoint(document, place, token_url.as_deref());
            let body = body.as_ref().and_then(|body| login(document, &place.key("body"), body));
            let token = token.as_deref().unwrap_or("/token");
            let token = pointer(document, &place.key("token"), token);
            Some(Auth::JwtLogin { token_url: url?, body: body?, token: token? })
        }
        declared::Auth::JwtBearer { token_url, private_key, algorithm, claims } => {
            let url = endpoint(document, place, token_url.as_deref());
            let key = secret(document, &place.key("private_key"), private_key.as_ref());
            let algorithm = algorithm.map(|algorithm| match algorithm {
                declared::JwtAlgorithm::Rs256 => JwtAlgorithm::Rs256,
                declared::JwtAlgorithm::Es256 => JwtAlgorithm::Es256,
                declared::JwtAlgorithm::Hs256 => JwtAlgorithm::Hs256,
            });
            let none = Ordered(Vec::new());
            let claims = claims_of(document, place, claims.as_ref().unwrap_or(&none));
            Some(Auth::JwtBearer {
                token_url: url?,
                private_key: key?,
                algorithm: algorithm?,
                claims: claims?,
            })
        }
        declared::Auth::None {}
        | declared::Auth::ApiKey { .. }
        | declared::Auth::Bearer { .. }
        | declared::Auth::Basic { .. }
        | declared::Auth::Hmac { .. }
        | declared::Auth::AwsSigv4 { .. } => None,
    }
}

fn client(document: &mut Document, place: &Place, written: &declared::Auth) -> Option<OauthClient> {
    use declared::Auth::{ClientCredentials, RefreshToken};
    let (ClientCredentials { token_url, client_id, client_secret, scope, client_auth, extra }
    | RefreshToken { token_url, client_id, client_secret, scope, client_auth, extra, .. }) =
        written
    else {
        return None;
    };
    let url = endpoint(document, place, token_url.as_deref());
    let id = secret(document, &place.key("client_id"), client_id.as_ref());
    let word = secret(document, &place.key("client_secret"), client_secret.as_ref());
    let extra: Vec<_> = extra.iter().flat_map(|extra| extra.0.clone()).collect();
    let mut whole = true;
    for (key, _) in extra.iter().filter(|(key, _)| is_secret_key(key)) {
        document.error(&place.key("extra").key(key), literal(key)).hint(LITERAL_HINT);
        whole = false;
    }
    whole.then_some(OauthClient {
        token_url: url?,
        client_id: id?,
        client_secret: word?,
        scope: scope.clone(),
        client_auth: match client_auth {
            None | Some(declared::ClientAuth::Body) => ClientAuth::Body,
            Some(declared::ClientAuth::Basic) => ClientAuth::Basic,
        },
        extra,
    })
}

const LITERAL_HINT: &str = "no secret stands in a source file: name where it is found";

fn literal(key: &str) -> String {
    format!("the secret `{key}` is written into the file")
}

/// The URL of a token endpoint.
fn endpoint(document: &mut Document, place: &Place, text: Option<&str>) -> Option<Url> {
    let (text, place) = (text?, place.key("token_url"));
    let wrong = match Url::parse(text) {
        Err(error) => format!("`token_url` is no URL: {error}"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            format!("`token_url` must be http or https, not {}", url.scheme())
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "`token_url` has credentials in it".to_owned()
        }
        Ok(url) => return Some(url),
    };
    document.error(&place, wrong).hint("write it whole: https://auth.example.com/oauth/token");
    None
}

/// Claims, of which one may be a secret's place: `{ env: NAME }`. Any other mapping is a claim as it stands.
fn claims_of(
    document: &mut Document,
    place: &Place,
    claims: &Ordered<Value>,
) -> Option<Vec<(String, LoginValue)>> {
    let place = place.key("claims");
    let value = |(key, written): &(String, Value)| {
        if OWN_CLAIMS.contains(&key.as_str()) {
            document.key_error(&place, key, format!("the claim `{key}` is set by lakeward"));
            return None;
        }
        let named = serde_json::from_value::<declared::Secret>(written.clone());
        let value = match (written, named) {
            (Value::Object(_), Ok(named)) => {
                LoginValue::Secret(secret(document, &place.key(key), Some(&named))?)
            }
            (plain, _) => LoginValue::Plain(plain.clone()),
        };
        Some((key.clone(), value))
    };
    let values: Vec<_> = claims.0.iter().map(value).collect();
    values.into_iter().collect()
}

/// Claims that every assertion has anew.
const OWN_CLAIMS: [&str; 3] = ["iat", "exp", "jti"];

fn login(
    document: &mut Document,
    place: &Place,
    body: &Ordered<declared::LoginValue>,
) -> Option<Vec<(String, LoginValue)>> {
    let value = |(key, written): &(String, declared::LoginValue)| {
        let at = place.key(key);
        let value = match &written.0 {
            Value::Object(_) => {
                let named = serde_json::from_value::<declared::Secret>(written.0.clone()).ok();
                if named.is_none() {
                    document
                        .error(&at, format!("`{key}` is no place of a secret"))
                        .hint("write { env: NAME } or { file: PATH }, or a plain value");
                }
                LoginValue::Secret(secret(document, &at, named.as_ref())?)
            }
            Value::String(_) if is_secret_key(key) => {
                document.error(&at, literal(key)).hint("write { env: NAME } or { file: PATH }");
                return None;
            }
            plain => LoginValue::Plain(plain.clone()),
        };
        Some((key.clone(), value))
    };
    let values: Vec<_> = body.0.iter().map(value).collect();
    values.into_iter().collect()
}
