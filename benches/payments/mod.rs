//! Payment pages as a gateway sends them: the same bytes for the same seed, in any order of pages.

mod json;
mod random;
mod record;

use self::json::{Json, Layout};
use self::random::Random;

/// The first instant of the records, 2026-03-16T00:00:00Z, and the seconds that they spread over.
pub(crate) const FIRST: u64 = 1_773_619_200;
pub(crate) const SPAN: u64 = 3 * 86_400;

/// How the records depart from clean, compact ones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// Indented by two spaces, a line a value.
    pub(crate) pretty: bool,
    /// The keys of each record in an order of its own.
    pub(crate) shuffled: bool,
    /// Several JSON types and notations inside one field.
    pub(crate) mixed: bool,
    /// One in ten optional keys missing, up to three undeclared ones added.
    pub(crate) ragged: bool,
}

/// A collection of payments, page by page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payments {
    /// Other seeds give other values.
    pub(crate) seed: u64,
    /// How many pages there are.
    pub(crate) pages: u64,
    /// Records of each page.
    pub(crate) per_page: u64,
    /// How the records look.
    pub(crate) style: Style,
}

/// A page and what a reader must find in it.
#[derive(Debug)]
pub(crate) struct Made {
    /// The body, envelope included.
    pub(crate) body: Vec<u8>,
    /// The sum of `amount` in minor units: a float on the way shows in it.
    pub(crate) amount: i128,
}

impl Payments {
    /// Page `page`, from 1.
    pub(crate) fn page(&self, page: u64) -> Made {
        let mut random = Random::new(self.seed.wrapping_mul(1_000_003).wrapping_add(page));
        let total = self.pages * self.per_page;
        let mut items = Vec::new();
        let mut amount = 0;
        for k in 0..self.per_page {
            let index = (page - 1) * self.per_page + k;
            // Newest first.
            let at = FIRST + SPAN - 1 - index * SPAN / total.max(1);
            let payment = record::Payment { index, at, big: k == self.per_page / 2 };
            let (item, minor) = payment.item(&mut random, self.style);
            amount += i128::from(minor);
            items.push(item);
        }
        let next = (page < self.pages).then(|| cursor(page + 1));
        let envelope = Json::Object(vec![
            ("entity", Json::text("collection")),
            ("count", Json::number(self.per_page)),
            ("total", Json::number(total)),
            ("page", Json::number(page)),
            ("total_pages", Json::number(self.pages)),
            ("items", Json::Array(items)),
            ("has_more", Json::raw(next.is_some().to_string())),
            ("cursor", next.as_deref().map_or(Json::null(), Json::text)),
            (
                "next",
                next.map_or(Json::null(), |n| Json::text(&format!("/v1/payments?cursor={n}"))),
            ),
        ]);
        // Some APIs escape all that is not ASCII: every fourth page does.
        let layout = Layout { pretty: self.style.pretty, ascii: page.is_multiple_of(4) };
        Made { body: envelope.write(layout), amount }
    }
}

/// The token of page `page`: opaque to a client, the page's number to who knows [`CURSOR_STEP`].
pub(crate) fn cursor(page: u64) -> String {
    format!("{:016x}", page.wrapping_mul(CURSOR_STEP))
}

/// An odd number, so that its multiples modulo 2^64 are all different.
pub(crate) const CURSOR_STEP: u64 = 0x9e37_79b9_7f4a_7c15;
