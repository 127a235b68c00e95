//! What a bucket's error may repeat of a request: session tokens and what was signed.

use crate::redact::REDACTED;

/// Elements of an S3 error that repeat credentials, or the signed request that holds them.
const ELEMENTS: [&str; 6] = [
    "Token-",
    "CanonicalRequest",
    "StringToSign",
    "SignatureProvided",
    "SecretAccessKey",
    "SessionToken",
];

/// The environment's credentials that `object_store` reads.
const VARIABLES: [&str; 3] = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_TOKEN"];

/// `text` without credentials: those of the environment wherever they stand, and those that the store got
/// elsewhere (an instance, a web identity) in the elements that are known to repeat them.
pub(super) fn without_credentials(text: &str) -> String {
    let mut clean = text.to_owned();
    for secret in VARIABLES.iter().filter_map(|name| std::env::var(name).ok()) {
        if !secret.is_empty() {
            clean = clean.replace(&secret, REDACTED);
        }
    }
    ELEMENTS.iter().fold(clean, |clean, element| without_content(&clean, element))
}

/// `text` without what stands in elements whose names start with `name`.
fn without_content(text: &str, name: &str) -> String {
    let open = format!("<{name}");
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(&open) {
        clean.push_str(before);
        clean.push_str(&open);
        rest = behind;
        let Some((tag, content)) = behind.split_once('>') else { break };
        clean.push_str(tag);
        clean.push('>');
        clean.push_str(REDACTED);
        rest = content.find("</").and_then(|end| content.get(end..)).unwrap_or_default();
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_s_error_shows_no_token() {
        let said = "<Error><Code>ExpiredToken</Code><Token-0>hunter2</Token-0><CanonicalRequest>PUT \
                    x-amz-security-token:hunter2</CanonicalRequest><HostId>h</HostId></Error>";
        assert_eq!(
            without_credentials(said),
            "<Error><Code>ExpiredToken</Code><Token-0>[redacted]</Token-0><CanonicalRequest>[redacted]\
             </CanonicalRequest><HostId>h</HostId></Error>"
        );
        assert_eq!(without_credentials("<Token-0>hunter2"), "<Token-0>[redacted]");
        assert_eq!(without_credentials("a < b <Token-"), "a < b <Token-");
    }
}
