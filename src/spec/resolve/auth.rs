//! How requests are authenticated: `auth`.

use crate::spec::auth::{Auth, Hmac, HmacAlgorithm, KeyPlace, SignatureEncoding};
use crate::spec::declared::auth as declared;
use crate::spec::document::{Document, Place};
use crate::spec::resolve::secret::secret;
use crate::spec::resolve::token::token;
use crate::spec::resolve::values::{header_name, param_name, template};
use crate::spec::template::{Scope, Template};

/// Resolves `auth`.
pub(super) fn auth_of(
    document: &mut Document,
    place: &Place,
    written: &declared::Auth,
) -> Option<Auth> {
    match written {
        declared::Auth::None {} => Some(Auth::None),
        declared::Auth::Bearer { token } => {
            let token = secret(document, &place.key("token"), token.as_ref());
            Some(Auth::Bearer { token: token? })
        }
        declared::Auth::Basic { username, password } => {
            let username = secret(document, &place.key("username"), username.as_ref());
            let password = secret(document, &place.key("password"), password.as_ref());
            Some(Auth::Basic { username: username?, password: password? })
        }
        declared::Auth::ApiKey { header, query, value } => {
            let value = secret(document, &place.key("value"), value.as_ref());
            let key = match (header, query) {
                (Some(header), None) => {
                    header_name(document, &place.key("header"), header).map(KeyPlace::Header)
                }
                (None, Some(query)) => {
                    param_name(document, &place.key("query"), Some(query), "").map(KeyPlace::Query)
                }
                (Some(_), Some(_)) => {
                    document.key_error(
                        place,
                        "query",
                        "the key goes to `header` or to `query`, not to both",
                    );
                    None
                }
                (None, None) => {
                    document
                        .error(place, "where does the key go? `header` or `query` is missing")
                        .hint("add header: X-API-Key, or query: api_key");
                    None
                }
            };
            Some(Auth::ApiKey { place: key?, value: value? })
        }
        declared::Auth::Hmac { .. } => hmac(document, place, written).map(Auth::Hmac),
        declared::Auth::AwsSigv4 { region, service } => {
            let region = word(document, &place.key("region"), region.as_deref());
            let service = word(document, &place.key("service"), service.as_deref());
            Some(Auth::AwsSigv4 { region: region?, service: service? })
        }
        declared::Auth::ClientCredentials { .. }
        | declared::Auth::RefreshToken { .. }
        | declared::Auth::JwtLogin { .. }
        | declared::Auth::JwtBearer { .. } => token(document, place, written),
    }
}

/// A word of a signature's scope.
fn word(document: &mut Document, place: &Place, text: Option<&str>) -> Option<String> {
    let text = text?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        document.error(place, format!("`{text}` is no name of letters, digits and `-`"));
        return None;
    }
    Some(text.to_owned())
}

/// Resolves `auth` of `type: hmac`.
fn hmac(document: &mut Document, place: &Place, written: &declared::Auth) -> Option<Hmac> {
    let declared::Auth::Hmac { secret: key, algorithm, encoding, string_to_sign, headers } =
        written
    else {
        return None;
    };
    let secret = secret(document, &place.key("secret"), key.as_ref());
    let at = place.key("string_to_sign");
    let string_to_sign =
        string_to_sign.as_deref().and_then(|text| signing(document, &at, text, false));
    let place = place.key("headers");
    let headers: Vec<_> = headers
        .iter()
        .flat_map(|headers| &headers.0)
        .map(|(name, text)| {
            let at = place.key(name);
            let header = header_name(document, &at, name);
            let text = signing(document, &at, text, true);
            Some((header?, text?))
        })
        .collect();
    let signs = |(_, text): &(String, Template)| text.source().contains("signature");
    let headers = headers.into_iter().collect::<Option<Vec<_>>>();
    if headers.as_ref().is_some_and(|headers| !headers.iter().any(signs)) {
        document
            .error(&place, "no header carries the signature")
            .hint("add one, such as X-Signature: \"{{ signature }}\"");
        return None;
    }
    Some(Hmac {
        secret: secret?,
        algorithm: match algorithm {
            None | Some(declared::HmacAlgorithm::Sha256) => HmacAlgorithm::Sha256,
            Some(declared::HmacAlgorithm::Sha512) => HmacAlgorithm::Sha512,
            Some(declared::HmacAlgorithm::Sha1) => HmacAlgorithm::Sha1,
        },
        encoding: match encoding {
            None | Some(declared::SignatureEncoding::Hex) => SignatureEncoding::Hex,
            Some(declared::SignatureEncoding::Base64) => SignatureEncoding::Base64,
        },
        string_to_sign: string_to_sign?,
        headers: headers?,
    })
}

/// A template that is rendered when a request is signed.
fn signing(document: &mut Document, place: &Place, text: &str, signed: bool) -> Option<Template> {
    let template = template(document, place, text)?;
    if let Err(error) = template.render(&Scope::signing_sample(signed)) {
        let known = "timestamp, method, path, query, body";
        let known = if signed { format!("{known}, signature") } else { known.to_owned() };
        document.error(place, error.to_string()).hint(format!("known here: {known}"));
        return None;
    }
    Some(template)
}
