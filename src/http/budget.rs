//! How many requests may still be sent.
//!
//! The budget is counted down in the order in which pages are delivered, also where they are fetched side by side:
//! what a page needs is set aside when it is its turn to be sent, so that a page further on never takes the last one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// The requests that may still be sent; clones share them. Without a number there is no bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Option<Arc<AtomicU64>>);

impl Budget {
    /// A budget of this many requests.
    pub(super) fn new(requests: u64) -> Self {
        Self(Some(Arc::new(AtomicU64::new(requests))))
    }

    /// What a page may spend that is fetched at once.
    pub(super) fn allowance(&self) -> Allowance {
        Allowance { budget: self.clone(), aside: AtomicBool::new(false) }
    }

    /// Sets a request aside for a page that is sent ahead; none where the budget is used up.
    pub(super) fn set_aside(&self) -> Option<Allowance> {
        self.take().then(|| Allowance { budget: self.clone(), aside: AtomicBool::new(true) })
    }

    fn take(&self) -> bool {
        let Some(left) = &self.0 else { return true };
        let spend = |left: u64| left.checked_sub(1);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

/// What the attempts of one page may spend.
#[derive(Debug)]
pub(super) struct Allowance {
    budget: Budget,
    /// Whether a request was set aside for it and is not sent yet.
    aside: AtomicBool,
}

impl Allowance {
    /// Takes one request: first the one that was set aside.
    ///
    /// # Errors
    /// `Budget` when none is left.
    pub(super) fn take(&self) -> Result<()> {
        if self.aside.swap(false, Ordering::Relaxed) || self.budget.take() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Budget, "the budget of requests is used up")
            .hint("run the same command again: it goes on where this run stopped"))
    }
}

impl Drop for Allowance {
    /// Gives back what was set aside for a request that nobody wanted any more.
    fn drop(&mut self) {
        if let Some(left) = &self.budget.0
            && *self.aside.get_mut()
        {
            left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_kept_for_its_page_and_given_back() {
        let budget = Budget::new(3);
        let (first, second) = (budget.set_aside().expect("one"), budget.set_aside().expect("two"));
        let now = budget.allowance();
        assert!(now.take().is_ok());
        assert_eq!(now.take().expect_err("none is left").kind(), ErrorKind::Budget);
        assert!(budget.set_aside().is_none());
        assert!(first.take().is_ok() && first.take().is_err());
        drop((first, second));
        assert!(now.take().is_ok() && now.take().is_err());
        assert!(Budget::default().allowance().take().is_ok());
    }
}
