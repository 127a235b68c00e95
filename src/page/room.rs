//! The room that pages take in memory, from before their request leaves until their rows have landed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// Bytes that a page takes for each of its own: its text, what was read of it, the columns made of it, and the holes
/// that they leave.
const COST: u64 = 4;

/// The part of the room that a page takes of which nothing is known: one in so many.
const UNKNOWN: u64 = 4;
/// Pages of less are as small as any.
const SMALL: u64 = 1 << 20;
/// How long others wait for the first page of a run, and for one that is larger than was expected.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the pages of a run may take together; clones share it. Without a number there is no bound.
#[derive(Clone, Debug, Default)]
pub struct Room(Option<Arc<Bounded>>);

#[derive(Debug)]
struct Bounded {
    /// In KiB.
    total: u64,
    free: Arc<Semaphore>,
    /// KiB that pages take beyond what there is.
    beyond: AtomicU64,
    /// The bytes of the largest page so far, and one; 0 before the first.
    largest: AtomicU64,
    /// Held by the one who asks for a page while nothing is known of them.
    scout: Arc<Mutex<()>>,
    /// Held for the page that is larger than all before it, until it has landed.
    outgrown: Arc<Mutex<()>>,
}

/// Leave to be larger than all pages before.
#[derive(Debug)]
pub struct Outgrown {
    _leave: OwnedMutexGuard<()>,
}

/// What a page has taken; given back when it is dropped.
#[derive(Debug, Default)]
pub struct Held(Option<Taken>);

#[derive(Debug)]
struct Taken {
    room: Arc<Bounded>,
    permit: OwnedSemaphorePermit,
    /// KiB beyond the permit.
    beyond: u64,
    /// While it is the first of the run.
    scout: Option<OwnedMutexGuard<()>>,
    /// Where it is larger than was expected.
    outgrown: Option<Outgrown>,
}

impl Room {
    /// Room of `bytes`.
    pub fn of(bytes: u64) -> Self {
        let kib = usize::try_from(bytes / 1024).unwrap_or(usize::MAX);
        // As many as one page can take.
        let kib = kib.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Self(Some(Arc::new(Bounded {
            total: kib as u64,
            free: Arc::new(Semaphore::new(kib)),
            beyond: AtomicU64::new(0),
            largest: AtomicU64::new(0),
            scout: Arc::default(),
            outgrown: Arc::default(),
        })))
    }

    /// Waits until there is room for a page that is `expected` to have so many bytes; one that is larger than all the
    /// room waits until it is alone. While nothing is known of any page of the run, one is asked for, and the others wait
    /// for it, though not for long.
    ///
    /// Who holds room for pages in the order in which they are landed never waits for ever.
    pub async fn hold(&self, expected: Option<usize>) -> Held {
        let Some(room) = &self.0 else { return Held(None) };
        let scout = match expected.is_none() && room.known().is_none() {
            true => {
                let scout = Arc::clone(&room.scout).lock_owned();
                tokio::time::timeout(PATIENCE, scout).await.ok()
            }
            false => None,
        };
        let scout = scout.filter(|_| room.known().is_none());
        let kib = room.permits(expected);
        let permit = Arc::clone(&room.free).acquire_many_owned(kib).await.ok();
        Held(permit.map(|permit| room.taken(permit, scout)))
    }

    /// The same where there is room now.
    pub fn hold_free(&self, expected: Option<usize>) -> Option<Held> {
        let Some(room) = &self.0 else { return Some(Held(None)) };
        let kib = room.permits(expected);
        let permit = Arc::clone(&room.free).try_acquire_many_owned(kib).ok()?;
        Some(Held(Some(room.taken(permit, None))))
    }

    /// Whether there is a bound at all.
    pub fn is_bounded(&self) -> bool {
        self.0.is_some()
    }

    /// Bytes of the largest page so far.
    pub fn largest(&self) -> u64 {
        self.0.as_ref().and_then(|room| room.known()).unwrap_or_default()
    }

    /// Bytes that pages take beyond the room, because they are larger than was expected, or than all of it.
    pub fn beyond(&self) -> u64 {
        self.0.as_ref().map_or(0, |room| room.beyond.load(Ordering::Relaxed) * 1024)
    }
}

impl Bounded {
    /// Bytes of the largest page so far.
    fn known(&self) -> Option<u64> {
        self.largest.load(Ordering::Relaxed).checked_sub(1)
    }

    /// What a page takes that is expected to have so many bytes.
    fn permits(&self, expected: Option<usize>) -> u32 {
        let kib = match expected.map(|bytes| bytes as u64).or(self.known()) {
            Some(bytes) => cost(bytes).min(self.total),
            None => self.total / UNKNOWN,
        };
        u32::try_from(kib).unwrap_or(u32::MAX)
    }

    fn taken(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        scout: Option<OwnedMutexGuard<()>>,
    ) -> Taken {
        Taken { room: Arc::clone(self), permit, beyond: 0, scout, outgrown: None }
    }
}

/// In KiB.
fn cost(bytes: u64) -> u64 {
    (bytes.saturating_mul(COST) / 1024).max(1)
}

impl Held {
    /// For a page that turns out to have so many bytes, or more: where that is more than there is room for, it waits until
    /// others of which that is true have landed, though not for long, as they may have to land after it.
    pub async fn outgrow(&self, bytes: usize) -> Option<Outgrown> {
        let taken = self.0.as_ref()?;
        let bytes = bytes as u64;
        if bytes <= SMALL || cost(bytes) <= taken.permit.num_permits() as u64 {
            return None;
        }
        let leave = Arc::clone(&taken.room.outgrown).lock_owned();
        let leave = tokio::time::timeout(PATIENCE, leave).await.ok();
        leave.map(|leave| Outgrown { _leave: leave })
    }

    /// Counts the page as it is: gives back what it does not need, and takes what it needs without waiting.
    pub fn count(&mut self, bytes: usize, outgrown: Option<Outgrown>) {
        let Some(taken) = &mut self.0 else { return };
        taken.outgrown = outgrown;
        let (bytes, room) = (bytes as u64, Arc::clone(&taken.room));
        room.largest.fetch_max(bytes.saturating_add(1), Ordering::Relaxed);
        taken.scout = None;
        let (wanted, has) = (cost(bytes), taken.permit.num_permits() as u64);
        if let Some(surplus) = has.checked_sub(wanted) {
            let surplus = usize::try_from(surplus).unwrap_or_default();
            drop(taken.permit.split(surplus));
            return;
        }
        let lacking = wanted - has;
        let free = lacking.min(room.free.available_permits() as u64);
        let free = u32::try_from(free).unwrap_or_default();
        let more = Arc::clone(&room.free).try_acquire_many_owned(free).ok();
        let more = more.map_or(0, |permit| {
            let kib = permit.num_permits() as u64;
            taken.permit.merge(permit);
            kib
        });
        taken.beyond = lacking - more;
        room.beyond.fetch_add(taken.beyond, Ordering::Relaxed);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.beyond.fetch_sub(self.beyond, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[tokio::test]
    async fn pages_wait_for_room_and_the_largest_goes_alone() {
        let room = Room::of(32 << 20);
        let mut first = room.hold(Some(MIB)).await;
        first.count(5 * MIB, None);
        let mut second = std::pin::pin!(room.hold(Some(5 * MIB)));
        assert!(futures::poll!(&mut second).is_pending());
        assert!(room.hold_free(Some(1)).is_none(), "who waits comes first");
        drop(first);
        drop(second.await);
        let large = room.hold(Some(200 * MIB)).await;
        assert!(room.hold_free(Some(1)).is_none());
        drop(large);
        assert!(room.hold_free(Some(8 * MIB)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_run_s_first_pages_one_is_asked_for() {
        let room = Room::of(32 << 20);
        let mut first = room.hold(None).await;
        let mut others: Vec<_> = (0..8).map(|_| Box::pin(room.hold(None))).collect();
        for other in &mut others {
            assert!(futures::poll!(other).is_pending());
        }
        // An empty page tells, too.
        first.count(0, None);
        let others = futures::future::join_all(others).await;
        assert_eq!(others.len(), 8, "all at once");
        // One that never comes is not waited for.
        let room = Room::of(32 << 20);
        let _first = room.hold(None).await;
        drop(room.hold(None).await);
    }

    #[tokio::test]
    async fn what_was_not_expected_is_counted_beyond_the_room() {
        let room = Room::of(32 << 20);
        let mut page = room.hold(Some(MIB)).await;
        page.count(2 * MIB, None);
        assert_eq!(room.beyond(), 0);
        let mut other = room.hold(Some(MIB)).await;
        other.count(10 * MIB, None);
        assert_eq!(room.beyond(), 16 << 20);
        drop(page);
        drop(other);
        assert_eq!(room.beyond(), 0);
        // The largest so far is what a page is expected to be of which nothing else is known.
        let (least, more) = (room.hold_free(None), room.hold_free(Some(1)));
        assert!(least.is_some() && more.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn pages_that_are_larger_than_was_expected_come_one_after_the_other() {
        let room = Room::of(32 << 20);
        room.hold(None).await.count(12, None);
        let (mut one, mut two) = (room.hold(None).await, room.hold(None).await);
        let leave = one.outgrow(20 * MIB).await;
        one.count(20 * MIB, leave);
        let mut waits = Box::pin(two.outgrow(20 * MIB));
        assert!(futures::poll!(&mut waits).is_pending());
        assert!(room.hold_free(Some(12)).is_none(), "the first took all that was free");
        drop(one);
        let leave = waits.await;
        assert!(leave.is_some());
        two.count(20 * MIB, leave);
        // One that comes later in its window may hold it: then nobody waits for ever.
        let small = Held(two.0.as_ref().map(|taken| {
            let free = Arc::clone(&taken.room.free).try_acquire_many_owned(0).expect("none");
            taken.room.taken(free, None)
        }));
        assert!(small.outgrow(50 * MIB).await.is_none());
        drop(two);
        assert!(
            room.hold(Some(8 * MIB)).await.outgrow(8 * MIB).await.is_none(),
            "there is room for it"
        );
    }

    #[tokio::test]
    async fn without_a_number_there_is_room() {
        let room = Room::default();
        let mut held = room.hold_free(Some(usize::MAX)).expect("room");
        held.count(usize::MAX, None);
        drop(room.hold(None).await);
        assert_eq!(room.beyond(), 0);
    }
}
