//! One budget of memory for the windows of a run: pages and keys are counted, and row groups get what they leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, ErrorKind, Result};

const MIB: u64 = 1 << 20;

/// What a run takes whatever it is given: program, threads, connections, and what the allocator holds back.
const BASE: u64 = 72 * MIB;
/// Of what the row groups and open files are given, the share that they count: the rest is the allocator's, whose
/// holes grow with what comes and goes.
const COUNTED: (u64, u64) = (2, 3);
/// Pages have one part of the budget in so many.
const PAGES_PART: u64 = 8;
/// Bytes that a page takes for each of its own: its text, what was read of it, the columns made of it, and the holes
/// that they leave.
const PAGE_COST: u64 = 4;
/// The least that the row groups of a window are left with, whatever the keys take.
const LEAST_ROW_GROUPS: u64 = 4 * MIB;
/// What an open file takes beside its row group: compressors, dictionaries, and the parts of its upload.
const LOCAL_FILE: u64 = 3 * MIB;
/// As [`LOCAL_FILE`], in a bucket, whose parts are large.
const BUCKET_FILE: u64 = 26 * MIB;
/// Files that may be open at once in any case, a window, on local disk and in a bucket: with fewer than a page has
/// partitions they are closed and begun again page by page.
const LEAST_OPEN: (u64, u64) = (4, 2);

/// What row groups may take in a run without a budget, a window.
const DEFAULT_ROW_GROUPS: u64 = 48 * MIB;
/// Files that may be open at once, a window: a day's touches one or two, a backfill's few.
const MOST_OPEN: u64 = 8;

/// The memory of a run.
///
/// Without a bound row groups take up to 48 MiB a window, and pages are bounded by the queues between the stages.
#[derive(Debug, Default)]
pub struct Budget {
    bound: Option<Bound>,
    /// Windows under way.
    windows: AtomicUsize,
    /// Bytes of their keys.
    keys: AtomicU64,
    told: AtomicBool,
}

#[derive(Debug)]
struct Bound {
    total: u64,
    /// Bytes for pages, and what is free of them, in KiB.
    pages: u64,
    free: Arc<Semaphore>,
    /// What an open file takes, and how many there may be in any case.
    file: u64,
    least_open: u64,
}

impl Budget {
    /// A budget of `total` bytes for a run of up to `jobs` windows at once, into a lake on local disk or in a bucket.
    ///
    /// # Errors
    /// `Usage` with the least that would do.
    pub fn of(total: u64, jobs: usize, local: bool) -> Result<Self> {
        let (file, least_open) =
            if local { (LOCAL_FILE, LEAST_OPEN.0) } else { (BUCKET_FILE, LEAST_OPEN.1) };
        let (counted, of) = COUNTED;
        let window = (LEAST_ROW_GROUPS + least_open * file) * of / counted;
        let least = BASE + window.saturating_mul(jobs.max(1) as u64);
        let least = (least * PAGES_PART / (PAGES_PART - 1)).div_ceil(MIB) * MIB;
        if total < least {
            let least = format!("{}MiB", least / MIB);
            return Err(Error::new(
                ErrorKind::Usage,
                format!("--memory is too small: the least for --jobs {jobs} is {least}"),
            )
            .hint(format!("give --memory {least} or more, or fewer --jobs")));
        }
        let pages = total / PAGES_PART;
        let kib = usize::try_from(pages / 1024).unwrap_or(Semaphore::MAX_PERMITS);
        let free = Arc::new(Semaphore::new(kib.min(Semaphore::MAX_PERMITS)));
        Ok(Self { bound: Some(Bound { total, pages, free, file, least_open }), ..Self::default() })
    }

    /// Waits until there is room for a page of `bytes`; it is taken until the permit is dropped. A page beyond all
    /// the room that pages have waits until it is the only one.
    pub async fn page(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bound = self.bound.as_ref()?;
        let kib = (bytes as u64).saturating_mul(PAGE_COST).min(bound.pages) / 1024;
        let free = Arc::clone(&bound.free);
        free.acquire_many_owned(u32::try_from(kib).unwrap_or(u32::MAX)).await.ok()
    }

    /// The share of a window that begins.
    pub fn window(self: &Arc<Self>) -> WindowMemory {
        self.windows.fetch_add(1, Ordering::Relaxed);
        WindowMemory { budget: Arc::clone(self), keys: 0 }
    }

    /// What is left for the row groups and open files of each window, counted.
    fn left(&self, bound: &Bound) -> u64 {
        let keys = self.keys.load(Ordering::Relaxed);
        let left = bound.total.saturating_sub(BASE + bound.pages + keys);
        let windows = self.windows.load(Ordering::Relaxed).max(1) as u64;
        let (counted, of) = COUNTED;
        let least = LEAST_ROW_GROUPS + bound.least_open * bound.file;
        let each = left / windows * counted / of;
        if each < least && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                keys = format!("{} MiB", keys / MIB),
                "the keys of the windows leave nothing of --memory {} MiB for their rows: the run goes on with \
                 small row groups and may take more; shorter windows (--every), fewer --jobs or more --memory help",
                bound.total / MIB,
            );
        }
        each.max(least)
    }
}

/// A window's share of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct WindowMemory {
    budget: Arc<Budget>,
    keys: u64,
}

impl WindowMemory {
    /// Counts the bytes that the window's keys take now.
    pub fn set_keys(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        if bytes != self.keys {
            self.budget.keys.fetch_add(bytes, Ordering::Relaxed);
            self.budget.keys.fetch_sub(self.keys, Ordering::Relaxed);
            self.keys = bytes;
        }
    }

    /// Files that may be open at once; two at least.
    pub fn open_files(&self) -> usize {
        let open = self.budget.bound.as_ref().map_or(MOST_OPEN, |bound| {
            let left = self.budget.left(bound).saturating_sub(LEAST_ROW_GROUPS);
            (left / bound.file).clamp(bound.least_open, MOST_OPEN)
        });
        usize::try_from(open).unwrap_or(2)
    }

    /// Bytes that the row groups of `open` files may take together.
    pub fn row_groups(&self, open: usize) -> usize {
        let bytes = self.budget.bound.as_ref().map_or(DEFAULT_ROW_GROUPS, |bound| {
            let files = bound.file.saturating_mul(open.max(1) as u64);
            let left = self.budget.left(bound).saturating_sub(files);
            left.clamp(LEAST_ROW_GROUPS, DEFAULT_ROW_GROUPS)
        });
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

impl Drop for WindowMemory {
    fn drop(&mut self) {
        self.set_keys(0);
        self.budget.windows.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mib(n: u64) -> usize {
        usize::try_from(n * MIB).expect("64 bit")
    }

    #[test]
    fn too_small_a_budget_says_the_least_that_does() {
        let error = Budget::of(MIB, 1, true).expect_err("1 MiB");
        assert_eq!(error.kind(), ErrorKind::Usage);
        insta::assert_snapshot!(error.message(), @"--memory is too small: the least for --jobs 1 is 110MiB");
        let least: u64 = 110;
        assert!(Budget::of((least - 1) * MIB, 1, true).is_err());
        assert!(Budget::of(least * MIB, 1, true).is_ok());
        assert!(Budget::of(least * MIB, 2, true).is_err());
        assert!(Budget::of(least * MIB, 1, false).is_err());
    }

    #[test]
    fn row_groups_get_what_keys_and_windows_leave() {
        let budget = Arc::new(Budget::of(256 * MIB, 2, true).expect("budget"));
        let mut one = budget.window();
        assert_eq!((one.open_files(), one.row_groups(1)), (8, mib(48)));
        let two = budget.window();
        assert!(one.row_groups(1) < mib(48));
        one.set_keys(mib(130));
        assert_eq!((two.open_files(), two.row_groups(4)), (4, mib(4)));
        one.set_keys(mib(1000));
        assert_eq!((two.open_files(), two.row_groups(4)), (4, mib(4)));
        drop(one);
        assert_eq!((two.open_files(), two.row_groups(1)), (8, mib(48)));
    }

    #[test]
    fn without_a_bound_the_defaults_hold() {
        let mut window = Arc::new(Budget::default()).window();
        window.set_keys(mib(1000));
        assert_eq!((window.open_files(), window.row_groups(3)), (8, mib(48)));
    }

    #[tokio::test]
    async fn pages_wait_for_room_and_the_largest_goes_alone() {
        let budget = Budget::of(256 * MIB, 1, true).expect("budget");
        let first = budget.page(mib(5)).await;
        let second = std::pin::pin!(budget.page(mib(5)));
        let mut second = second;
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        drop(second.await);
        assert!(budget.page(mib(200)).await.is_some());
        assert!(Budget::default().page(mib(200)).await.is_none());
    }
}
