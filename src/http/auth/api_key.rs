//! `type: api_key`: a key in a header or in the query.

use reqwest::Request;
use reqwest::header::{HeaderName, HeaderValue};

use super::query::without_query;
use super::secret::{header_value, required};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Secret;
use crate::spec::auth::{KeyPlace, SecretRef};

/// A resolved API key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    key: Secret,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Header(HeaderName, HeaderValue),
    Query(String),
}

impl ApiKey {
    pub(super) fn resolve(place: &KeyPlace, value: &SecretRef) -> Result<Self> {
        let key = required(value)?;
        let place = match place {
            KeyPlace::Header(name) => {
                let header = HeaderName::try_from(name.as_str()).map_err(|_| {
                    Error::new(ErrorKind::Config, format!("`{name}` is not a header name"))
                })?;
                Place::Header(header, header_value(value, key.expose())?)
            }
            KeyPlace::Query(name) => Place::Query(name.clone()),
        };
        Ok(Self { key, place })
    }

    pub(super) fn apply(&self, request: &mut Request) {
        match &self.place {
            Place::Header(name, value) => {
                request.headers_mut().insert(name.clone(), value.clone());
            }
            Place::Query(name) => {
                without_query(request.url_mut(), |key, _| key == name);
                request.url_mut().query_pairs_mut().append_pair(name, self.key.expose());
            }
        }
    }

    pub(super) fn query_key(&self) -> Option<&str> {
        match &self.place {
            Place::Query(name) => Some(name),
            Place::Header(..) => None,
        }
    }

    pub(super) fn header(&self) -> Option<&str> {
        match &self.place {
            Place::Header(name, _) => Some(name.as_str()),
            Place::Query(_) => None,
        }
    }

    pub(super) fn secrets(&self) -> Vec<Secret> {
        vec![self.key.clone()]
    }
}
