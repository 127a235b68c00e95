//! Where secrets are found.

use crate::spec::auth::SecretRef;
use crate::spec::declared::auth as declared;
use crate::spec::document::{Document, Place};
use crate::spec::masking::is_env_name;
use crate::spec::resolve::values::path;

/// Where a secret is found.
pub(super) fn secret(
    document: &mut Document,
    place: &Place,
    written: Option<&declared::Secret>,
) -> Option<SecretRef> {
    match written? {
        declared::Secret::Env(name) if is_env_name(name) => Some(SecretRef::Env(name.clone())),
        declared::Secret::Env(_) => {
            // What stands here may be the secret itself.
            document
                .error(&place.key("env"), "this is no name of an environment variable")
                .hint("write the name of the variable that holds the secret, not the secret");
            None
        }
        declared::Secret::File(text) => {
            path(document, &place.key("file"), text).map(SecretRef::File)
        }
    }
}
