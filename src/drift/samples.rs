//! How values are shown in a report.

use crate::spec::table::Samples;

/// The samples as the policy has them shown.
pub(crate) fn shown(samples: Vec<String>, policy: Samples) -> Vec<String> {
    match policy {
        Samples::None => Vec::new(),
        Samples::Full => samples,
        Samples::Redacted => {
            let mut redacted: Vec<String> = samples.iter().map(|sample| redacted(sample)).collect();
            redacted.dedup();
            redacted
        }
    }
}

/// One text as the policy has it shown; nothing where it is not.
pub(crate) fn text(text: &str, policy: Samples) -> Option<String> {
    shown(vec![text.to_owned()], policy).pop()
}

/// Letters as `x` and digits as `0`: length and punctuation remain, which is what tells notations apart.
fn redacted(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            _ if c.is_numeric() => '0',
            _ if c.is_alphabetic() => 'x',
            _ => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacted_texts_keep_their_form_alone() {
        let given = || vec!["\"+91 98-Ärö\"".to_owned(), "\"+13 22-abc\"".to_owned()];
        assert_eq!(shown(given(), Samples::Redacted), ["\"+00 00-xxx\""]);
        assert_eq!(shown(given(), Samples::Full), given());
        assert_eq!(shown(given(), Samples::None), Vec::<String>::new());
        assert_eq!(text("१२", Samples::Redacted).as_deref(), Some("00"));
    }
}
