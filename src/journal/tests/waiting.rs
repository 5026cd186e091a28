//! Calls that wait for a disk or a lock, and leave in time.

use super::*;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn call_without_a_wait_still_gives_the_disk_a_moment() {
    let place = Place::new();
    let journal = place.open_with(r#","waitMs":0"#).unwrap();
    let intent = save(&journal);
    let _hung = [&journal.reading, &journal.writing].map(|helper| hang(helper.as_ref().unwrap()));
    let calls: [&dyn Fn() -> Result<()>; 3] = [
        &|| journal.get(intent.id()).map(drop),
        &|| journal.get_within(intent.id(), Some(Duration::ZERO)).map(drop),
        &|| journal.save_within(&purchase(), Durability::Synced, Duration::ZERO).map(drop),
    ];
    for call in calls {
        let began = Instant::now();
        assert_eq!(call().unwrap_err().code(), Code::JournalTimedOut);
        assert!(began.elapsed() >= LEAST_WAIT);
    }
}

#[test]
fn own_work_waits_as_long_as_a_lock_may_be_held() {
    for (wait_ms, seconds) in [(0, 2), (600_000, 600)] {
        let place = Place::new();
        let journal = place.open_with(&format!(r#","waitMs":{wait_ms}"#)).unwrap();
        assert_eq!(journal.own_wait(), Duration::from_secs(seconds));
    }
}

#[test]
fn peek_waits_for_a_busy_journal_as_long_as_it_may() {
    let journal = memory();
    let _busy = rt::lock(&journal.content.writer);
    let (limit, began) = (Duration::from_millis(20), Instant::now());
    let found = journal.peek(&purchase().operation, None, |_| Err(Error::of(Code::Offline)), limit);
    assert!(found.is_none() && began.elapsed() >= limit);
}

#[test]
fn second_close_does_not_wait_for_the_disk_again() {
    let place = Place::new();
    let journal = place.open();
    let writing = journal.writing.as_ref().unwrap();
    let _hung = hang(writing);
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| journal.close());
        while !closing.is_finished() {
            journal.cancel_waits();
            std::thread::yield_now();
        }
    });
    assert_eq!(writing.queued(), 1);
    journal.close();
    assert_eq!(writing.queued(), 1);
}

fn settings(place: &Place) -> Settings {
    Settings {
        path: place.path.clone(),
        seal_path: place.beside("-seal"),
        tenant: purchase().tenant.unwrap(),
        role: crate::config::JournalRole::Live,
        accepts_loss: false,
    }
}

/// Sets the thread that opens a journal.
fn set_opener(place: &Place, helper: Arc<IoThread>) {
    rt::lock(&HANGING).get_or_insert_default().insert(place.path.clone(), helper);
}

fn has_opener(place: &Place) -> bool {
    rt::lock(&HANGING).get_or_insert_default().contains_key(&place.path)
}

#[test]
fn open_that_hangs_is_left_and_the_next_one_waits_for_it() {
    let place = Place::new();
    save(&place.open());
    let holder = Connection::open(&place.path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let helper = Arc::new(IoThread::new("eps-test"));
    // The thread runs, however busy the machine is.
    helper.call(LONG, || ()).unwrap();
    set_opener(&place, helper);
    let error = open_within(settings(&place), Duration::from_millis(20)).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::JournalTimedOut);
    assert!(error.message().contains("points.db did not respond within the wait"), "{error}");
    assert!(has_opener(&place));
    holder.execute_batch("COMMIT").unwrap();
    drop(open_within(settings(&place), LONG).unwrap());
    assert!(!has_opener(&place));
    // Of two opens the last one lets the thread go.
    let shared = Arc::new(IoThread::new("eps-test"));
    set_opener(&place, shared.clone());
    drop(open_within(settings(&place), LONG).unwrap());
    assert!(has_opener(&place));
    drop(shared);
    drop(open_within(settings(&place), LONG).unwrap());
    assert!(!has_opener(&place));
}

#[test]
fn open_whose_thread_cannot_begin_says_so() {
    let place = Place::new();
    set_opener(&place, Arc::new(IoThread::without_thread()));
    let error = open_within(settings(&place), Duration::from_millis(1)).map(drop).unwrap_err();
    assert_eq!(error.code(), Code::JournalTimedOut);
    assert!(error.message().starts_with("no thread could begin within the wait"), "{error}");
}
