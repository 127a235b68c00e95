//! Durable, each id once, bounded, and whole between the two commands.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use super::event::{Arrival, Batch, Kept, State};
use super::look::Listing;
use super::writer::{Settings, Writer};
use super::{FILE, Inbox};
use crate::clock::FixedClock;
use crate::error::ErrorKind;

const MOST: u64 = 1 << 30;
const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn arrival(id: &str, seconds: i64) -> Arrival {
    Arrival {
        source: "gateway".to_owned(),
        endpoint: "razorpay".to_owned(),
        event_id: id.to_owned(),
        event_type: "payment.captured".to_owned(),
        received_at: at(seconds),
        content_type: Some("application/json".to_owned()),
        body: Bytes::from(format!("{{\"id\":\"{id}\"}}")),
        state: State::Waiting,
        dedupe_for: WEEK,
    }
}

fn opened() -> (tempfile::TempDir, Inbox) {
    let dir = tempfile::tempdir().unwrap();
    let inbox = Inbox::open(&dir.path().join("inbox"), true).unwrap();
    inbox.connection.execute("UPDATE sqlite_sequence SET seq = 0", []).unwrap();
    (dir, inbox)
}

fn batch(name: &str) -> Batch {
    Batch {
        name: name.to_owned(),
        source: "gateway".to_owned(),
        stream: "payments".to_owned(),
        first: 1,
        last: 2,
        made_at: at(100),
    }
}

fn ids(inbox: &Inbox) -> Vec<String> {
    inbox
        .waiting("gateway", 0, 100, MOST)
        .unwrap()
        .into_iter()
        .map(|event| event.event_id)
        .collect()
}

#[test]
fn an_event_is_as_it_came_also_after_it_was_opened_again() {
    let (_dir, mut inbox) = opened();
    let arrivals = [arrival("a", 0), arrival("schön-\u{1f980}", 1), arrival(&"x".repeat(9_000), 2)];
    assert_eq!(inbox.put(&arrivals, MOST).unwrap(), [Kept::New; 3]);
    let again = Inbox::open(inbox.dir(), false).unwrap();
    let events = again.waiting("gateway", 0, 100, MOST).unwrap();
    for (event, arrival) in events.iter().zip(&arrivals) {
        assert_eq!(event.event_id, arrival.event_id);
        assert_eq!(event.body, arrival.body);
        assert_eq!(event.received_at, arrival.received_at);
        assert_eq!(event.event_type, arrival.event_type);
        assert_eq!(event.content_type, arrival.content_type);
        assert_eq!((event.state, &event.batch), (State::Waiting, &None));
    }
    assert_eq!(events.len(), 3);
    assert_eq!((again.depth().unwrap(), again.oldest().unwrap()), (3, Some(at(0))));
    assert!(again.waiting("other", 0, 100, MOST).unwrap().is_empty());
    assert_eq!(again.waiting("gateway", 1, 1, MOST).unwrap().len(), 1);
    assert_eq!(again.waiting("gateway", 0, 9, 1).unwrap().len(), 1, "one at least");
}

#[test]
fn an_id_is_known_for_its_time_and_while_its_event_is_there() {
    let (_dir, mut inbox) = opened();
    let twice = [arrival("a", 0), arrival("a", 1)];
    assert_eq!(inbox.put(&twice, MOST).unwrap(), [Kept::New, Kept::Duplicate]);
    let elsewhere = Arrival { endpoint: "other".to_owned(), ..arrival("a", 2) };
    assert_eq!(inbox.put(&[elsewhere], MOST).unwrap(), [Kept::New], "of another endpoint");
    let later = 8 * 86_400;
    assert_eq!(inbox.put(&[arrival("a", later)], MOST).unwrap(), [Kept::Duplicate]);
    assert!(!inbox.forget(at(later), &mut Vec::new()).unwrap());
    assert_eq!(inbox.put(&[arrival("a", later)], MOST).unwrap(), [Kept::Duplicate]);
    inbox.assign(&batch("b"), &[1, 2]).unwrap();
    inbox.landed("b").unwrap();
    assert_eq!(inbox.depth().unwrap(), 0);
    assert_eq!(
        inbox.put(&[arrival("a", 3)], MOST).unwrap(),
        [Kept::Duplicate],
        "landed, and known"
    );
    assert_eq!(inbox.put(&[arrival("a", later)], MOST).unwrap(), [Kept::New], "after its time");
    assert_eq!(inbox.put(&[arrival("a", later + 1)], MOST).unwrap(), [Kept::Duplicate]);
}

#[test]
fn many_ids_move_and_stay_known_and_old_ones_are_forgotten_a_part_at_a_time() {
    let (_dir, mut inbox) = opened();
    let of = |id: u32, seconds| Arrival { body: Bytes::new(), ..arrival(&id.to_string(), seconds) };
    let count = |inbox: &Inbox, table: &str| -> u32 {
        let count = format!("SELECT count(*) FROM {table}");
        inbox.connection.query_row(&count, [], |row| row.get(0)).unwrap()
    };
    let ids: Vec<u32> = (0..150_000).collect();
    for (group, ids) in ids.chunks(1_000).enumerate() {
        let arrivals: Vec<Arrival> = ids.iter().map(|id| of(*id, 0)).collect();
        assert!(inbox.put(&arrivals, MOST).unwrap().iter().all(|kept| *kept == Kept::New));
        if group == 90 {
            // In the middle of moving: as after a kill.
            inbox = Inbox::open(inbox.dir(), false).unwrap();
        }
    }
    assert!(count(&inbox, "seen") > 65_536, "{}", count(&inbox, "seen"));
    assert!(count(&inbox, "recent") < 100, "{}", count(&inbox, "recent"));
    let mut again = Inbox::open(inbox.dir(), false).unwrap();
    for inbox in [&mut inbox, &mut again] {
        for ids in ids.chunks(1_000) {
            let arrivals: Vec<Arrival> = ids.iter().map(|id| of(*id, 1)).collect();
            assert!(
                inbox.put(&arrivals, MOST).unwrap().iter().all(|kept| *kept == Kept::Duplicate)
            );
        }
    }
    inbox.connection.execute("DELETE FROM events", []).unwrap();
    let (known, mut after) = (count(&inbox, "seen"), Vec::new());
    while inbox.forget(at(0), &mut after).unwrap() {}
    assert_eq!(count(&inbox, "seen"), known, "none is old");
    let later = 8 * 86_400;
    assert!(inbox.forget(at(later), &mut after).unwrap(), "not all at once");
    while inbox.forget(at(later), &mut after).unwrap() {}
    assert_eq!(count(&inbox, "seen"), 0);
    assert_eq!(inbox.put(&[of(1, later)], MOST).unwrap(), [Kept::New]);
}

#[test]
fn the_log_is_worked_into_the_file_while_events_are_kept() {
    let (_dir, mut inbox) = opened();
    inbox.bound_log(1 << 20).unwrap();
    let large = |id: u32| Arrival { body: vec![b' '; 500].into(), ..arrival(&id.to_string(), 0) };
    for group in 0..80 {
        let arrivals: Vec<Arrival> = (0..200).map(|id| large(group * 200 + id)).collect();
        inbox.put(&arrivals, MOST).unwrap();
    }
    let size = |name: &str| inbox.dir().join(name).metadata().unwrap().len();
    assert!(size(FILE) > 8 << 20, "{} bytes", size(FILE));
    assert!(size("inbox.db-wal") < 3 << 20, "{} bytes", size("inbox.db-wal"));
}

#[test]
fn a_full_inbox_takes_nothing_but_what_it_has_until_something_lands() {
    let (_dir, mut inbox) = opened();
    let large = |id: &str| Arrival { body: Bytes::from(vec![b' '; 100_000]), ..arrival(id, 0) };
    let most = 1 << 20;
    let mut kept = 0;
    while inbox.put(&[large(&kept.to_string())], most).unwrap() == [Kept::New] {
        kept += 1;
    }
    assert!((5..11).contains(&kept), "{kept}");
    assert!(inbox.used().unwrap() <= most);
    let mixed = [large("new"), large("0"), arrival("small", 1)];
    assert_eq!(inbox.put(&mixed, most).unwrap(), [Kept::Full, Kept::Duplicate, Kept::New]);
    let seqs: Vec<i64> = (1..=kept).collect();
    inbox.assign(&batch("b"), &seqs).unwrap();
    inbox.landed("b").unwrap();
    assert_eq!(inbox.put(&[large("new")], most).unwrap(), [Kept::New], "room that was given back");
}

#[test]
fn a_batch_holds_its_events_until_it_has_landed() {
    let (_dir, mut inbox) = opened();
    let arrivals: Vec<Arrival> = ["a", "b", "c"].into_iter().map(|id| arrival(id, 0)).collect();
    inbox.put(&arrivals, MOST).unwrap();
    inbox.assign(&batch("first"), &[1, 2]).unwrap();
    let refused = inbox.assign(&batch("second"), &[3, 2]).expect_err("2 is taken");
    assert_eq!(refused.kind(), ErrorKind::Held);
    assert_eq!(ids(&inbox), ["c"], "nothing of a batch that failed");
    let mut again = Inbox::open(inbox.dir(), false).unwrap();
    assert_eq!(again.batches("gateway").unwrap(), [batch("first")]);
    let events = again.batch_events("first").unwrap();
    let held: Vec<(i64, Option<&str>)> =
        events.iter().map(|event| (event.seq, event.stream.as_deref())).collect();
    assert_eq!(held, [(1, Some("payments")), (2, Some("payments"))]);
    again.landed("first").unwrap();
    assert_eq!((again.batches("gateway").unwrap().len(), inbox.depth().unwrap()), (0, 1));
    inbox.put(&[arrival("d", 0)], MOST).unwrap();
    assert_eq!(
        inbox.waiting("gateway", 0, 9, MOST).unwrap().last().unwrap().seq,
        4,
        "no number twice"
    );
}

#[test]
fn refused_events_are_requeued() {
    let (_dir, mut inbox) = opened();
    let refused = |id: &str| Arrival { state: State::Refused, ..arrival(id, 0) };
    inbox.put(&[refused("a"), arrival("b", 0), refused("c"), refused("d")], MOST).unwrap();
    assert_eq!(ids(&inbox), ["b"]);
    assert_eq!(inbox.refused("gateway", 1, 9, MOST).unwrap().len(), 2);
    assert_eq!(inbox.requeue(Some(&[1, 2, 9])).unwrap(), 1, "2 waits already, 9 is not there");
    assert_eq!(ids(&inbox), ["a", "b"]);
    let listing = Listing { state: Some(State::Refused), most: 1, ..Listing::default() };
    let listed = inbox.list(&listing).unwrap();
    assert_eq!((listed.len(), listed[0].seq, listed[0].bytes), (1, 3, 10));
    assert_eq!(inbox.requeue(None).unwrap(), 2);
    inbox.refuse(&[2]).unwrap();
    assert_eq!(ids(&inbox), ["a", "c", "d"]);
    assert_eq!(inbox.show(2).unwrap().unwrap().state, State::Refused);
    assert!(inbox.show(99).unwrap().is_none());
}

#[test]
fn an_inbox_of_another_version_or_of_none_is_told_so() {
    let (dir, inbox) = opened();
    let error = Inbox::open(&dir.path().join("none"), false).expect_err("none");
    assert_eq!(error.kind(), ErrorKind::Usage);
    inbox.connection.pragma_update(None, "user_version", 7).unwrap();
    let error = Inbox::open(inbox.dir(), true).expect_err("later");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("version 7"), "{error}");
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(
        other.join(FILE),
        "no database, but long enough to be looked at as one, surely".repeat(99),
    )
    .unwrap();
    assert_eq!(Inbox::open(&other, true).expect_err("no inbox").kind(), ErrorKind::Store);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_kept_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let writer = || {
        let settings =
            Settings { dir: dir.path().to_owned(), most: MOST, clock: Arc::new(FixedClock(at(0))) };
        Arc::new(Writer::start(settings, |_| {}).unwrap())
    };
    // Two writers, as of two processes.
    let writers = [writer(), writer()];
    let tasks: Vec<_> = (0..400)
        .map(|n| {
            let writer = Arc::clone(&writers[n % 2]);
            tokio::spawn(async move { writer.keep(arrival(&(n % 200).to_string(), 0)).await })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        match task.await.unwrap() {
            Kept::New => new += 1,
            Kept::Duplicate => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(new, 200);
    drop(writers);
    assert_eq!(Inbox::open(dir.path(), false).unwrap().depth().unwrap(), 200);
}
