//! What names say: of keys, parameters and fields, letter case and separators aside.

/// A name in lower case without separators: `nextPageToken`, `next_page_token` and `Next-Page-Token` are one.
pub(crate) fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether `name` folds to one of `names`.
pub(crate) fn is_one(name: &str, names: &[&str]) -> bool {
    names.contains(&folded(name).as_str())
}

/// The words of a name: `createdAt` and `created_at` have two.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    let mut lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            (open, lower) = (false, false);
            continue;
        }
        let begins = c.is_ascii_uppercase() && lower;
        match words.last_mut().filter(|_| open && !begins) {
            Some(word) => word.push(c.to_ascii_lowercase()),
            None => words.push(c.to_ascii_lowercase().to_string()),
        }
        (open, lower) = (true, !c.is_ascii_uppercase());
    }
    words
}

/// Whether any of the name's words is one of `wanted`.
pub(crate) fn has_word(name: &str, wanted: &[&str]) -> bool {
    words(name).iter().any(|word| wanted.contains(&word.as_str()))
}

/// Whether a field of this name holds money.
pub(crate) fn is_money(name: &str) -> bool {
    const MONEY: [&str; 16] = [
        "amount", "price", "fee", "fees", "tax", "cost", "total", "subtotal", "balance", "charge",
        "paid", "discount", "refunded", "payout", "revenue", "salary",
    ];
    has_word(name, &MONEY) && !is_time(name)
}

/// Whether a field of this name holds a point of time.
pub(crate) fn is_time(name: &str) -> bool {
    const TIME: [&str; 12] = [
        "at",
        "created",
        "updated",
        "modified",
        "timestamp",
        "time",
        "date",
        "datetime",
        "on",
        "since",
        "until",
        "expires",
    ];
    words(name).last().is_some_and(|last| TIME.contains(&last.as_str()))
}

/// Whether a field of this name identifies something, so that its digits are text: codes, numbers, phones.
pub(crate) fn is_label(name: &str) -> bool {
    const LABEL: [&str; 16] = [
        "id",
        "code",
        "zip",
        "pin",
        "postcode",
        "postal",
        "phone",
        "mobile",
        "contact",
        "account",
        "number",
        "no",
        "sku",
        "awb",
        "reference",
        "ref",
    ];
    has_word(name, &LABEL)
}

/// A name that may stand in paths: letters, digits, `_` and `-`.
pub(crate) fn path_name(text: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name: String = text.chars().map(|c| if legal(c) { c } else { '_' }).collect();
    let name = name.trim_matches('_').to_owned();
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    (begins && name.len() <= 100).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_every_spelling() {
        assert_eq!(words("createdAt"), ["created", "at"]);
        assert_eq!(words("created_at"), ["created", "at"]);
        assert_eq!(words("X-Order-ID"), ["x", "order", "id"]);
        assert_eq!(folded("next_pageToken"), "nextpagetoken");
        assert!(
            !is_money("paid_at")
                && is_money("amount_refunded")
                && is_money("shippingFee")
                && !is_money("feed")
        );
        assert!(is_time("created_at") && is_time("created") && !is_time("status"));
        assert!(is_label("order_id") && is_label("zipCode") && !is_label("idea"));
        assert_eq!(path_name("pay ments.v2").as_deref(), Some("pay_ments_v2"));
        assert_eq!(path_name("42"), None);
    }
}
