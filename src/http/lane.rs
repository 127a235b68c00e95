//! What the requests of one window's pages share while they are in flight side by side.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, Semaphore};
use tokio::time::Instant;

/// The way on which one window's requests go out.
#[derive(Debug)]
pub(super) struct Lane {
    /// Who may wait for the limiter. One at a time, so that a window that keeps several requests in flight has no
    /// larger part of the limiter's queue than any other, and none waits there for longer than alone.
    turn: Mutex<()>,
    /// The instant before which the API asked to be left alone.
    held: std::sync::Mutex<Option<Instant>>,
    /// Places in flight.
    pub(super) places: Arc<Semaphore>,
    /// Whether one of the requests has failed for good.
    broken: AtomicBool,
}

impl Lane {
    /// A lane with this many places.
    pub(super) fn new(places: usize) -> Self {
        Self {
            turn: Mutex::default(),
            held: std::sync::Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
            broken: AtomicBool::new(false),
        }
    }

    /// Waits for those ahead, and for as long as the API asked to be left alone.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        let turn = self.turn.lock().await;
        while let Some(until) = self.held().filter(|until| *until > Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
        turn
    }

    /// Keeps all requests back for `wait`: the API asked one of them to.
    pub(super) fn hold(&self, wait: Duration) {
        let until = Instant::now().checked_add(wait);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = (*held).max(until);
    }

    fn held(&self) -> Option<Instant> {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a request has failed for good: none is sent ahead any more.
    pub(super) fn break_off(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Whether a request has failed for good.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_asked_to_wait_keeps_the_others_back() {
        let lane = Lane::new(2);
        let began = Instant::now();
        drop(lane.turn().await);
        assert!(began.elapsed() < Duration::from_millis(20));
        lane.hold(Duration::from_millis(40));
        lane.hold(Duration::from_millis(1));
        drop(lane.turn().await);
        assert!(began.elapsed() >= Duration::from_millis(40));
        drop(lane.turn().await);
        assert!(!lane.is_broken());
        lane.break_off();
        assert!(lane.is_broken());
    }
}
