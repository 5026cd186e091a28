//! The limits of one request: its deadline, its cancellation, and the gate that proves whether any
//! of its bytes may have left the till. The gate is the proof behind *not sent* (invariant 4).

use crate::core::id::RequestId;
use crate::rt::{self, AtomicU8, Instant, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often a wait checks for cancellation. Invariant 8 allows 50 ms.
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// Cancels the calls of a client. Each cancellation begins a new generation; a call of an older
/// generation is cancelled.
#[derive(Debug, Default)]
pub(crate) struct Cancellation {
    generation: AtomicU64,
    closed: AtomicBool,
    /// The client's, which cancels a single call too.
    client: Option<Arc<Cancellation>>,
}

impl Cancellation {
    /// Returns the cancellation of a single call of a client.
    pub fn of_call(client: &Arc<Cancellation>) -> Self {
        Self { client: Some(client.clone()), ..Self::default() }
    }

    /// Cancels all calls that are under way now. Later calls are not affected.
    pub fn cancel_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Cancels all calls for good. Returns false if this was done before.
    pub fn close(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::SeqCst);
        self.cancel_all();
        first
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst) || self.client.as_ref().is_some_and(|client| client.is_closed())
    }

    /// Returns a number that every cancellation changes.
    pub fn generation(&self) -> u64 {
        let of_client = self.client.as_ref().map_or(0, |client| client.generation());
        self.generation.load(Ordering::SeqCst) + of_client
    }
}

const NOT_SENT: u8 = 0;
const SENDING: u8 = 1;
const WITHDRAWN: u8 = 2;

/// The reason why a request ended before its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    TimedOut,
    /// The call was cancelled, or the request was withdrawn before it was sent.
    Cancelled,
}

/// One request's deadline, cancellation and gate.
#[derive(Debug)]
pub(crate) struct Call {
    deadline: Instant,
    cancellation: Arc<Cancellation>,
    generation: u64,
    gate: AtomicU8,
    /// The request is not sent on a connection that was used before.
    new_connection: AtomicBool,
    /// The server's own ids of the call's requests.
    request_ids: Mutex<Vec<RequestId>>,
}

impl Call {
    pub fn new(deadline: Instant, cancellation: &Arc<Cancellation>) -> Self {
        Self {
            deadline,
            cancellation: cancellation.clone(),
            generation: cancellation.generation(),
            gate: AtomicU8::new(NOT_SENT),
            new_connection: AtomicBool::new(false),
            request_ids: Mutex::default(),
        }
    }

    /// Notes the server's own ids of a request of the call.
    pub fn note_request_ids(&self, ids: &[RequestId]) {
        rt::lock(&self.request_ids).extend_from_slice(ids);
    }

    /// Returns the server's own ids of the call's requests.
    pub fn request_ids(&self) -> Vec<RequestId> {
        rt::lock(&self.request_ids).clone()
    }

    /// Has the request sent on a connection of its own: the server has just closed one.
    pub fn require_new_connection(&self) {
        self.new_connection.store(true, Ordering::Relaxed);
    }

    pub fn requires_new_connection(&self) -> bool {
        self.new_connection.load(Ordering::Relaxed)
    }

    /// Returns the same call for a request that is sent once more.
    pub fn again(&self) -> Self {
        self.within(Duration::MAX)
    }

    /// Returns the same call for another request that may take at most `limit`.
    pub fn within(&self, limit: Duration) -> Self {
        let sooner = Instant::now().checked_add(limit).unwrap_or(self.deadline);
        Self {
            deadline: self.deadline.min(sooner),
            cancellation: self.cancellation.clone(),
            generation: self.generation,
            gate: AtomicU8::new(NOT_SENT),
            new_connection: AtomicBool::new(false),
            request_ids: Mutex::default(),
        }
    }

    #[cfg(feature = "simulation")]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the time until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Returns why the call is over, or None while it goes on.
    pub fn end_reason(&self) -> Option<EndReason> {
        if self.cancellation.generation() != self.generation || self.gate.load(Ordering::SeqCst) == WITHDRAWN {
            Some(EndReason::Cancelled)
        } else if Instant::now() >= self.deadline {
            Some(EndReason::TimedOut)
        } else {
            None
        }
    }

    /// Returns how long the next wait may last, or why there is none.
    pub fn slice(&self) -> Result<Duration, EndReason> {
        match self.end_reason() {
            Some(reason) => Err(reason),
            None => {
                Ok(SLICE.min(self.deadline.saturating_duration_since(Instant::now())).max(Duration::from_millis(1)))
            }
        }
    }

    /// Passes the gate: from now on bytes of the request may leave. Returns false if the request
    /// was withdrawn before.
    pub fn begin_sending(&self) -> bool {
        self.gate.compare_exchange(NOT_SENT, SENDING, Ordering::SeqCst, Ordering::SeqCst) != Err(WITHDRAWN)
    }

    /// Closes the gate. True proves that nothing of the request has left, nor ever will.
    pub fn withdraw(&self) -> bool {
        self.gate.compare_exchange(NOT_SENT, WITHDRAWN, Ordering::SeqCst, Ordering::SeqCst) != Err(SENDING)
    }

    /// Returns whether bytes of the request may have left.
    pub fn may_have_left(&self) -> bool {
        self.gate.load(Ordering::SeqCst) == SENDING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gate_under_a_race_is_passed_or_closed_but_never_both() {
        let cancellation = Arc::new(Cancellation::default());
        for _ in 0..2_000 {
            let call = Call::new(Instant::now() + Duration::from_secs(9), &cancellation);
            let (sent, withdrawn) = std::thread::scope(|scope| {
                let sender = scope.spawn(|| call.begin_sending());
                (call.withdraw(), sender.join().unwrap())
            });
            assert!(sent != withdrawn);
            assert_eq!(call.may_have_left(), !sent, "withdraw returned {sent}, begin_sending returned {withdrawn}");
        }
    }

    #[test]
    fn cancellation_of_one_call_ends_no_other_call() {
        let client = Arc::new(Cancellation::default());
        let [one, other] = [(); 2].map(|()| Arc::new(Cancellation::of_call(&client)));
        let deadline = Instant::now() + Duration::from_secs(9);
        let calls = [&client, &one, &other].map(|cancellation| Call::new(deadline, cancellation));
        let ended = || calls.each_ref().map(|call| call.end_reason().is_some());
        one.cancel_all();
        assert_eq!(ended(), [false, true, false]);
        client.close();
        assert_eq!(ended(), [true; 3]);
        assert!(other.is_closed());
    }

    #[test]
    fn cancel_all_ends_calls_under_way_and_no_later_one() {
        let cancellation = Arc::new(Cancellation::default());
        let deadline = Instant::now() + Duration::from_secs(9);
        let before = Call::new(deadline, &cancellation);
        cancellation.cancel_all();
        let after = Call::new(deadline, &cancellation);
        assert_eq!(before.end_reason(), Some(EndReason::Cancelled));
        assert_eq!(after.end_reason(), None);
    }
}
