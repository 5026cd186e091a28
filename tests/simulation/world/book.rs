//! What was reported to the POS, for the comparison with the ledger.

use super::network;
use super::scheduler::Micros;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A sale as the cashier sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Basket {
    pub till: usize,
    pub contact: u8,
    pub item: u8,
    pub receipt: Option<u32>,
    /// Receipt numbers may come again for another sale.
    pub sale: u32,
    pub redeem: bool,
}

impl Basket {
    fn of_any_sale(&self) -> Self {
        Self { sale: 0, ..*self }
    }

    /// Returns the first contact of a member that was merged.
    pub fn person(&self) -> u8 {
        if self.contact == 2 { 0 } else { self.contact }
    }
}

#[derive(Default)]
pub(crate) struct Book {
    /// First report of a completion, by process and operation.
    completed: BTreeMap<(usize, String), Micros>,
    /// Reports of a decline: when, and the code.
    declined: BTreeMap<String, Vec<(Micros, String)>>,
    acknowledged: BTreeMap<String, Micros>,
    /// When the first call began that acknowledges an operation.
    acknowledging: BTreeMap<String, Micros>,
    /// Operations that were reported pending, with the process.
    pending: BTreeMap<String, usize>,
    /// The sale of each operation, as the first call that got its id says.
    pub baskets: BTreeMap<String, Basket>,
    /// Calls on a basket: how many run, and when the last one began or ended.
    active: BTreeMap<Basket, (u64, Micros, Micros)>,
    /// By basket of any sale: how many calls run, and when the calls began that run or ran at the
    /// same time. None: one of them returned that an attempt has left or may have.
    not_sent: BTreeMap<Basket, (u64, Option<Micros>)>,
    pub outcomes: [u64; 4],
    pub operations: u64,
    pub reviews: u64,
}

thread_local! {
    static BOOK: RefCell<Book> = RefCell::default();
}

pub(crate) fn book<T>(work: impl FnOnce(&mut Book) -> T) -> T {
    BOOK.with_borrow_mut(work)
}

pub(crate) fn replace() -> Book {
    BOOK.take()
}

impl Book {
    pub fn enter(&mut self, basket: &Basket) {
        let now = super::scheduler::now();
        let (count, began, _) = self.active.entry(*basket).or_default();
        *count += 1;
        *began = now;
        let (running, since) = self.not_sent.entry(basket.of_any_sale()).or_default();
        if *running == 0 {
            *since = Some(now);
        }
        *running += 1;
    }

    /// A call on the basket returned something else than *not sent*.
    pub fn may_leave(&mut self, basket: &Basket) {
        self.not_sent.entry(basket.of_any_sale()).or_default().1 = None;
    }

    /// Returns since when all calls on the basket returned *not sent*, if none runs.
    pub fn not_sent_since(&self, basket: &Basket) -> Option<Micros> {
        let (running, since) = self.not_sent.get(&basket.of_any_sale())?;
        since.filter(|_| *running == 0)
    }

    /// Returns whether another call on the basket ran since `began`.
    pub fn leave(&mut self, basket: &Basket, began: Micros) -> bool {
        let now = super::scheduler::now();
        self.not_sent.entry(basket.of_any_sale()).or_default().0 -= 1;
        let Some((count, last_began, last_ended)) = self.active.get_mut(basket) else { return false };
        *count -= 1;
        let overlapped = *count > 0 || *last_began > began || *last_ended >= began;
        *last_ended = now;
        overlapped
    }

    pub fn completed(&mut self, process: usize, id: &str, now: Micros) {
        self.completed.entry((process, id.to_owned())).or_insert(now);
    }

    /// Whether the process had the completion before a call that began then.
    pub fn was_completed(&self, process: usize, id: &str, began: Micros) -> bool {
        self.completed.get(&(process, id.to_owned())).is_some_and(|at| *at < began)
    }

    pub fn completed_by(&self, process: usize) -> Vec<String> {
        self.completed.keys().filter(|(by, _)| *by == process).map(|(_, id)| id.clone()).collect()
    }

    /// Returns the operations of a basket whose completion the process has reported before a time.
    pub fn completed_of(&self, process: usize, basket: &Basket, before: Micros) -> Vec<String> {
        let mine = self.completed.iter().filter(|((by, _), at)| *by == process && **at < before);
        mine.map(|((_, id), _)| id.clone()).filter(|id| self.baskets.get(id) == Some(basket)).collect()
    }

    pub fn pending(&mut self, id: &str, process: usize) {
        self.pending.insert(id.to_owned(), process);
    }

    pub fn all_pending(&self) -> Vec<(String, usize)> {
        self.pending.iter().map(|(id, process)| (id.clone(), *process)).collect()
    }

    pub fn declined(&mut self, id: &str, now: Micros, code: &str) {
        self.declined.entry(id.to_owned()).or_default().push((now, code.to_owned()));
    }

    pub fn all_declined(&self) -> Vec<(String, Micros, String)> {
        let reports = self.declined.iter();
        reports.flat_map(|(id, all)| all.iter().map(move |(at, code)| (id.clone(), *at, code.clone()))).collect()
    }

    pub fn acknowledged(&mut self, id: &str, now: Micros) {
        self.acknowledged.insert(id.to_owned(), now);
    }

    pub fn is_acknowledged(&self, id: &str) -> bool {
        self.acknowledged.contains_key(id)
    }

    pub fn acknowledging(&mut self, id: &str, now: Micros) {
        self.acknowledging.entry(id.to_owned()).or_insert(now);
    }

    /// Whether an acknowledgement of an operation had begun at a time.
    pub fn is_acknowledging_before(&self, id: &str, time: Micros) -> bool {
        self.acknowledging.get(id).is_some_and(|at| *at <= time)
    }

    pub fn is_acknowledged_before(&self, id: &str, time: Micros) -> bool {
        // An operation that was acknowledged as not sent may be bought for a later sale.
        let completed = self.completed.iter().any(|((_, of), at)| of == id && *at < time);
        completed && self.acknowledged.get(id).is_some_and(|at| *at < time)
    }

    /// Keeps the sale of an operation. Returns the sale that it belongs to already, if that is
    /// another.
    pub fn sale_of(&mut self, id: &str, basket: &Basket) -> Option<u32> {
        let known = self.baskets.entry(id.to_owned()).or_insert(*basket);
        (known.sale != basket.sale).then_some(known.sale)
    }

    /// Whether an operation of the basket was sent before a time, and no outcome of it has been
    /// reported.
    pub fn is_open(&self, basket: &Basket, began: Micros) -> bool {
        self.baskets.iter().any(|(id, of)| {
            let declined = super::disk::records(basket.till).iter().any(|intent| {
                intent.state == crate::core::intent::IntentState::Declined && intent.id().to_string() == *id
            });
            of == basket
                && !declined
                && !self.declined.contains_key(id)
                && network::network(|network| {
                    network.sent.get(id).is_some_and(|sent| sent.iter().any(|sent| sent.at < began))
                })
        })
    }
}
