//! One budget of memory for the windows of a run: pages and keys are counted, and row groups get what they leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::page::room::Room;
use crate::spec::table::{ParquetOptions, Table};

const MIB: u64 = 1 << 20;

/// What a run takes whatever it is given: program, threads, connections, and what the allocator holds back.
const BASE: u64 = 72 * MIB;
/// Of what the row groups and open files are given, the share that they count: the rest is the allocator's, whose
/// holes grow with what comes and goes.
const COUNTED: (u64, u64) = (2, 3);
/// Pages have one part of the budget in so many.
const PAGES_PART: u64 = 8;
/// Bytes that a window's decoder keeps for each of its largest page.
const KEPT: u64 = 2;
/// The least that the row groups of a window are left with, whatever the keys take.
const LEAST_ROW_GROUPS: u64 = 4 * MIB;
/// What an open file takes beside its row group: mostly the parts of its upload.
const LOCAL_FILE: u64 = 2 * MIB;
/// As [`LOCAL_FILE`], in a bucket, whose parts are large.
const BUCKET_FILE: u64 = 26 * MIB;
/// What each column of an open file takes in its encoder beside the rows.
const COLUMN: u64 = 48 << 10;
/// What a file takes in which rows wait for others: itself, and each column.
const WAITING_FILE: usize = 16 << 10;
const WAITING_COLUMN: usize = 1 << 10;
/// Pages of a window that the least budget leaves room for in its decoder.
const LEAST_KEPT: u64 = MIB;
/// Files that may be begun at once in any case, a window, where they are small, and where they are large: with fewer
/// than a page has full partitions they are closed and begun again page by page.
const LEAST_OPEN: (u64, u64) = (4, 2);
const LARGE_FILE: u64 = 8 * MIB;

/// What row groups of a window may take together, encoded, unless a larger one is declared.
const DEFAULT_ROW_GROUPS: u64 = 48 * MIB;
/// Columns beside the declared ones: `_extracted_at` and the raw column.
const OWN_COLUMNS: usize = 2;

/// The memory of a run.
///
/// Without a bound the row groups of a window take up to 48 MiB or what `parquet.row_group` declares, and pages are
/// bounded by the queues between the stages.
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
    /// Bytes for pages.
    pages: u64,
    room: Room,
    local: bool,
}

/// What an open file of `columns` takes, and how many there may be in any case.
fn open_file(columns: usize, local: bool) -> (u64, u64) {
    let file = if local { LOCAL_FILE } else { BUCKET_FILE };
    let file = (columns as u64).saturating_mul(COLUMN).saturating_add(file);
    (file, if file < LARGE_FILE { LEAST_OPEN.0 } else { LEAST_OPEN.1 })
}

/// The columns of a table's files.
fn columns_of(table: &Table) -> usize {
    table.fields.len() + OWN_COLUMNS
}

impl Budget {
    /// A budget of `total` bytes for a run of up to `jobs` windows at once of these tables, into a lake on local disk or
    /// in a bucket.
    ///
    /// # Errors
    /// `Usage` with the least that would do.
    pub fn of<'a>(
        total: u64,
        jobs: usize,
        local: bool,
        tables: impl IntoIterator<Item = &'a Table>,
    ) -> Result<Self> {
        let columns = tables.into_iter().map(columns_of).max().unwrap_or_default();
        let (file, least_open) = open_file(columns, local);
        let (counted, of) = COUNTED;
        let window = (LEAST_ROW_GROUPS + least_open * file) * of / counted + KEPT * LEAST_KEPT;
        let least = BASE + window.saturating_mul(jobs.max(1) as u64);
        let least = (least * PAGES_PART / (PAGES_PART - 1)).div_ceil(MIB) * MIB;
        if total < least {
            let least = format!("{}MiB", least / MIB);
            return Err(Error::new(
                ErrorKind::Usage,
                format!(
                    "--memory is too small: the least for --jobs {jobs} and {columns} columns is {least}"
                ),
            )
            .hint(format!("give --memory {least} or more, or fewer --jobs")));
        }
        let pages = total / PAGES_PART;
        let bound = Bound { total, pages, room: Room::of(pages), local };
        Ok(Self { bound: Some(bound), ..Self::default() })
    }

    /// The room for pages; boundless without a budget.
    pub fn room(&self) -> Room {
        self.bound.as_ref().map(|bound| bound.room.clone()).unwrap_or_default()
    }

    /// The share of a window of `table` that begins.
    pub fn window(self: &Arc<Self>, table: &Table) -> WindowMemory {
        self.share(columns_of(table), &table.parquet)
    }

    /// The share of a window whose files are of so many columns.
    pub(in crate::lake) fn share(
        self: &Arc<Self>,
        columns: usize,
        parquet: &ParquetOptions,
    ) -> WindowMemory {
        self.windows.fetch_add(1, Ordering::Relaxed);
        WindowMemory {
            budget: Arc::clone(self),
            keys: 0,
            columns,
            most_open: u64::from(parquet.open_partitions),
            most_groups: parquet.row_group.unwrap_or_default().max(DEFAULT_ROW_GROUPS),
        }
    }

    /// What is left for the row groups and open files of each window, counted; at least `least`.
    fn left(&self, bound: &Bound, least: u64) -> u64 {
        let keys = self.keys.load(Ordering::Relaxed);
        let beyond = bound.room.beyond();
        let windows = self.windows.load(Ordering::Relaxed).max(1) as u64;
        // What a decoder made of the largest page it keeps, to use it again.
        let kept = bound.room.largest().saturating_mul(windows * KEPT);
        let taken = [keys, beyond, kept, bound.pages].into_iter().fold(BASE, u64::saturating_add);
        let left = bound.total.saturating_sub(taken);
        let (counted, of) = COUNTED;
        let each = left / windows * counted / of;
        if each < least && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                keys = format!("{} MiB", keys / MIB),
                large_pages = format!("{} MiB", beyond / MIB),
                "keys and large pages leave nothing of --memory {} MiB for rows: the run goes on with small row groups \
                 and may take more; smaller pages, shorter windows (--every), fewer --jobs or more --memory help",
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
    columns: usize,
    most_open: u64,
    most_groups: u64,
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

    /// Bytes that an open file takes in which rows wait, beside them.
    pub fn waiting_file(&self) -> usize {
        WAITING_FILE + self.columns.saturating_mul(WAITING_COLUMN)
    }

    /// Files that may be begun at once: as many as `parquet.open_partitions` says, or as the budget has room for.
    pub fn open_files(&self) -> usize {
        let open = self.budget.bound.as_ref().map_or(self.most_open, |bound| {
            let (file, least) = open_file(self.columns, bound.local);
            let left = self.left(bound).saturating_sub(LEAST_ROW_GROUPS);
            (left / file).max(least).min(self.most_open)
        });
        usize::try_from(open).unwrap_or(usize::MAX)
    }

    /// Bytes that the row groups of `open` files may take together.
    pub fn row_groups(&self, open: usize) -> usize {
        let bytes = self.budget.bound.as_ref().map_or(self.most_groups, |bound| {
            let (file, _) = open_file(self.columns, bound.local);
            let files = file.saturating_mul(open.max(1) as u64);
            let left = self.left(bound).saturating_sub(files);
            left.clamp(LEAST_ROW_GROUPS, self.most_groups)
        });
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    fn left(&self, bound: &Bound) -> u64 {
        let (file, least_open) = open_file(self.columns, bound.local);
        self.budget.left(bound, LEAST_ROW_GROUPS + least_open * file)
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
    use crate::lake::tests::table;

    fn mib(n: u64) -> usize {
        usize::try_from(n * MIB).expect("64 bit")
    }

    /// A table of 28 columns of its own.
    fn usual() -> Table {
        let mut table = table(vec![0], None, None);
        table.fields = table.fields.iter().cycle().take(28).cloned().collect();
        table
    }

    fn wide() -> Table {
        let mut table = table(vec![0], None, None);
        table.fields = table.fields.iter().cycle().take(998).cloned().collect();
        table
    }

    #[test]
    fn too_small_a_budget_says_the_least_that_does() {
        let of = |mib: u64, jobs, local, table| Budget::of(mib * MIB, jobs, local, [table]);
        let (usual, wide) = (usual(), wide());
        let error = of(1, 1, true, &usual).expect_err("1 MiB");
        assert_eq!(error.kind(), ErrorKind::Usage);
        insta::assert_snapshot!(error.message(), @r#"
        --memory is too small: the least for --jobs 1 and 30 columns is 115MiB
        "#);
        let least: u64 = 115;
        assert!(of(least - 1, 1, true, &usual).is_err());
        assert!(of(least, 1, true, &usual).is_ok());
        for (jobs, local, table) in [(2, true, &usual), (1, false, &usual), (1, true, &wide)] {
            assert!(of(least, jobs, local, table).is_err(), "{jobs} {local}");
        }
        let error = of(least, 1, true, &wide).expect_err("too many columns");
        insta::assert_snapshot!(error.message(), @r#"
        --memory is too small: the least for --jobs 1 and 1000 columns is 259MiB
        "#);
    }

    #[test]
    fn row_groups_get_what_keys_pages_and_windows_leave() {
        let usual = usual();
        let budget = Arc::new(Budget::of(256 * MIB, 2, true, [&usual]).expect("budget"));
        let mut one = budget.window(&usual);
        assert_eq!((one.open_files(), one.row_groups(1)), (28, mib(48)));
        let two = budget.window(&usual);
        assert!(one.row_groups(1) < mib(48));
        one.set_keys(mib(130));
        assert_eq!((two.open_files(), two.row_groups(4)), (4, mib(4)));
        one.set_keys(mib(1000));
        assert_eq!((two.open_files(), two.row_groups(4)), (4, mib(4)));
        drop(one);
        assert_eq!((two.open_files(), two.row_groups(1)), (28, mib(48)));
        let mut page = budget.room().hold_free(Some(1)).expect("room");
        page.count(mib(40), None);
        assert_eq!((two.open_files(), two.row_groups(4)), (4, mib(4)));
        drop(page);
        // The decoder keeps what it made of it.
        assert_eq!(two.open_files(), 12);
    }

    #[test]
    fn a_wide_table_has_fewer_files_open() {
        let wide = wide();
        let budget = Arc::new(Budget::of(384 * MIB, 1, true, [&wide]).expect("budget"));
        let window = budget.window(&wide);
        assert_eq!(window.open_files(), 3);
        assert!(window.row_groups(3) < window.row_groups(1));
    }

    #[test]
    fn without_a_bound_what_is_declared_holds() {
        let mut table = usual();
        let memory = |table: &Table| {
            let mut window = Arc::new(Budget::default()).window(table);
            window.set_keys(mib(1000));
            (window.open_files(), window.row_groups(3))
        };
        assert_eq!(memory(&table), (32, mib(48)));
        table.parquet.open_partitions = 3;
        table.parquet.row_group = Some(256 * MIB);
        assert_eq!(memory(&table), (3, mib(256)));
    }
}
