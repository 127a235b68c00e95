//! What the requests of one window's pages share while they are in flight side by side.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The way on which one window's requests go out.
#[derive(Debug)]
pub(super) struct Lane {
    /// Who may wait for the limiter. One at a time, so that a window that keeps several requests in flight has no
    /// larger part of the limiter's queue than any other, and none waits there for longer than alone.
    turn: tokio::sync::Mutex<()>,
    /// Places in flight that are free.
    free: Arc<Semaphore>,
    state: std::sync::Mutex<State>,
    /// Whether one of the requests has failed for good.
    broken: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// The instant before which the API asked to be left alone.
    until: Option<Instant>,
    /// Places in flight.
    places: usize,
    /// Places that are closed when those who have them leave.
    surplus: usize,
}

impl Lane {
    /// A lane with this many places.
    pub(super) fn new(places: usize) -> Self {
        Self {
            turn: tokio::sync::Mutex::default(),
            free: Arc::new(Semaphore::new(places)),
            state: std::sync::Mutex::new(State { until: None, places, surplus: 0 }),
            broken: AtomicBool::new(false),
        }
    }

    /// A place, if one is free.
    pub(super) fn free_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// A place, as soon as one is free; those who wait come first.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Leaves a place to the next.
    pub(super) fn leave(&self, place: Option<OwnedSemaphorePermit>) {
        let Some(place) = place else { return };
        let mut state = self.state();
        if state.surplus > 0 {
            state.surplus -= 1;
            place.forget();
        }
    }

    /// Waits for those ahead, and for as long as the API asked to be left alone.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        let turn = self.turn.lock().await;
        loop {
            let until = self.state().until;
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return turn,
            }
        }
    }

    /// Keeps all requests back for `wait`, which the API asked one of them to; from then on half as many are in
    /// flight, for it was too many.
    pub(super) fn hold(&self, wait: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        if state.until.is_none_or(|until| until <= now) {
            let closed = state.places / 2;
            state.places -= closed;
            state.surplus += closed;
        }
        state.until = state.until.max(now.checked_add(wait));
    }

    /// Notes that a request has failed for good: none is sent ahead any more.
    pub(super) fn break_off(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Whether a request has failed for good.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_asked_to_wait_keeps_the_others_back() {
        let lane = Lane::new(2);
        let began = Instant::now();
        drop(lane.turn().await);
        assert_eq!(began.elapsed(), Duration::ZERO);
        lane.hold(Duration::from_millis(40));
        lane.hold(Duration::from_millis(1));
        drop(lane.turn().await);
        assert!(began.elapsed() >= Duration::from_millis(40));
        drop(lane.turn().await);
        assert!(!lane.is_broken());
        lane.break_off();
        assert!(lane.is_broken());
    }

    #[tokio::test(start_paused = true)]
    async fn every_wait_halves_what_is_in_flight_down_to_one() {
        let lane = Lane::new(8);
        for left in [4, 2, 1, 1] {
            let taken: Vec<_> = std::iter::from_fn(|| lane.free_place()).collect();
            // Of several that are refused together the first one counts.
            lane.hold(Duration::from_millis(5));
            lane.hold(Duration::from_millis(5));
            taken.into_iter().for_each(|place| lane.leave(Some(place)));
            assert_eq!(lane.free.available_permits(), left);
            drop(lane.turn().await);
        }
    }
}
