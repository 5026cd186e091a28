//! The redeem's state machine, model-checked: the real functions of `decide`, and around them one reward, one till that crashes, somebody
//! else who may use the reward at any time, and a network that loses and delays. What is new against the purchase is checked here: a
//! redeem has no idempotency key, so "it is redeemed" has to be told apart into *by us* and *by somebody else*, from Engage's times alone.
//!
//! What is assumed: a request is dead once the quiet time from its start is over; Engage's times are true; nobody else uses the very same
//! reward while a request of ours is under way and lost (where the model lets that happen, it is counted, and *done* is the answer).

use crate::core::admission::{self, Admission, Candidates, Clocks, Command};
use crate::core::code::{Code, Outcome};
use crate::core::domain::Millis;
use crate::core::domain::{AssignmentId, ContactId, OperationId};
use crate::core::domain::{Channel, Operation, Redeem};
use crate::core::evidence::{Evidence, Reason, Redemption};
use crate::core::intent::Intent;
use crate::core::machine::{self as decide, NextAction};
use crate::core::retry::{RetryRules, Timing};
use stateright::{Checker, Model, Property};
use std::hash::{Hash, Hasher};
use uuid::Uuid;

/// Wider than the time that proves nothing on either side of a request.
const TICK: Millis = 100_000;
/// A request is dead after this many ticks.
const QUIET: u8 = 2;
/// The model's end of time. By then every fault has had its chance, and every intent its end.
const END: u8 = 12;
/// Nothing goes wrong from here on.
const CALM: u8 = 6;

/// How the reward shows in the member's list, and what the till knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Four things that are so or not, independently.
struct Setting {
    contact: bool,
    /// The till knows what time it is at Engage.
    clock: bool,
    /// A redeemed reward stays in the list, and says when.
    listed: bool,
    dated: bool,
    mutation: Mutation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutation {
    None,
    /// "Already redeemed" is refused, whatever was sent before.
    AlreadyIsRefused,
    /// "Redeemed" is done, whoever it was.
    RedeemedIsOurs,
    IgnoreQuiet,
    /// A resend counts as if a look had excluded the requests before it.
    NoDoubt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum By {
    Us,
    SomebodyElse,
}

/// A request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Request {
    started: u8,
    /// Its till waits for the answer.
    awaited: bool,
}

#[derive(Debug, Clone)]
struct World {
    now: u8,
    used: Option<(By, u8)>,
    intent: Option<Intent>,
    requests: Vec<Request>,
    /// Every request that ever left, by its start: what the truth is judged by.
    left: Vec<u8>,
    outcome_of: Option<Outcome>,
}

impl World {
    /// What makes two worlds the same.
    fn key(&self) -> impl PartialEq + Hash {
        let intent = self.intent.as_ref().map(|it| {
            let snapshots = it.detail.engage_code.is_some();
            (
                it.state,
                it.code,
                it.in_flight_until,
                it.next_query_at,
                it.recorded_at,
                it.processing_window,
                it.earlier_in_doubt,
                snapshots,
            )
        });
        (self.now, self.used, intent, self.requests.clone(), self.left.clone(), self.outcome_of)
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Tick,
    SomebodyElseUses,
    /// The request arrives, and its answer gets back, or not.
    Arrives {
        at: usize,
        answered: bool,
    },
    /// The request is lost before it arrives; the till learns that the connection broke.
    Lost(usize),
    /// The till dies and starts again: it waits for nothing any more.
    Crash,
    Look,
    LookFails,
}

impl Setting {
    fn clocks(self, now: u8) -> Clocks {
        let now = Millis::from(now) * TICK;
        Clocks { now, in_flight_window: Millis::from(QUIET) * TICK, engage: self.clock.then_some((now, now)) }
    }

    fn rules() -> RetryRules {
        RetryRules { schedule_ms: vec![TICK], startup_jitter_ms: 0, resend_limit_ms: Millis::MAX }
    }

    fn learn(world: &mut World, after: impl Fn(&Intent, Timing<'_>) -> Intent) {
        let rules = Self::rules();
        let Some(intent) = &world.intent else { return };
        let mut intent = after(intent, Timing { rules: &rules, attended: false, random: 0 });
        intent.query_count = 0;
        intent.revision = 1;
        intent.detail.attempts = 1;
        if intent.state.is_final() || intent.needs_review() {
            let outcome_of = decide::outcome_of(intent.clone(), Code::Pending);
            world.outcome_of = Some(outcome_of.map_or_else(|error| error.code().row().outcome, |_| Outcome::Completed));
        }
        world.intent = Some(intent);
    }

    fn send(world: &mut World) {
        world.requests.push(Request { started: world.now, awaited: true });
        world.left.push(world.now);
    }

    fn query_status(self, world: &mut World) {
        let evidence = match (self.contact, world.used) {
            (false, _) => Evidence::Unseen,
            (true, None) => Evidence::Absent,
            (true, Some(_)) if !self.listed => Evidence::Unseen,
            (true, Some((_, at))) => Evidence::Redeemed(Redemption {
                on: self.dated.then(|| Millis::from(at) * TICK),
                ..Redemption::default()
            }),
        };
        let Some(intent) = world.intent.clone() else { return };
        let now = Millis::from(world.now) * TICK;
        let in_flight_until = if self.mutation == Mutation::IgnoreQuiet { 0 } else { intent.in_flight_until };
        let may_send = decide::may_resend(&Intent { in_flight_until, ..intent.clone() }, now, &Self::rules());
        if matches!(evidence, Evidence::Absent | Evidence::Unseen) && may_send {
            let excluded = matches!(evidence, Evidence::Absent) || self.mutation == Mutation::NoDoubt;
            let claimed = decide::next_attempt(&intent, excluded, self.clocks(world.now));
            Self::learn(world, |_, _| claimed.clone());
            Self::send(world);
            return;
        }
        let evidence = match evidence {
            Evidence::Redeemed(_) if self.mutation == Mutation::RedeemedIsOurs => {
                Evidence::Completed { response: String::new() }
            }
            evidence => evidence,
        };
        Self::learn(world, |intent, timing| decide::after_query(intent, evidence.clone(), now, timing));
    }

    /// Whether the till is waiting for an answer: settling does not touch the intent meanwhile.
    fn is_busy(world: &World) -> bool {
        world.requests.iter().any(|request| request.awaited)
    }
}

impl Model for Setting {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let operation = Operation::Redeem(Redeem {
            id: OperationId::from_uuid(Uuid::from_u128(1)),
            contact: self.contact.then_some(ContactId::from_uuid(Uuid::from_u128(2))),
            assignment: AssignmentId::from_uuid(Uuid::from_u128(3)),
            channel: Channel::Pos,
        });
        let command = Command { operation, named: false, reference: None, rewards_before: None };
        // Somebody else may have used it before, may use it later, or never.
        [(None, 3), (Some((By::SomebodyElse, 0)), 3)]
            .into_iter()
            .map(|(used, now)| {
                let Ok(Admission::New(intent)) = admission::admit(&command, Candidates::default(), self.clocks(now))
                else {
                    unreachable!("there is no other intent")
                };
                let mut world =
                    World { now, used, intent: Some(intent), requests: Vec::new(), left: Vec::new(), outcome_of: None };
                Self::send(&mut world);
                world
            })
            .collect()
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        let calm = world.now >= CALM;
        if world.now < END {
            events.push(Event::Tick);
        }
        if !calm && world.used.is_none() {
            events.push(Event::SomebodyElseUses);
        }
        for at in 0..world.requests.len() {
            events.push(Event::Arrives { at, answered: true });
            if !calm {
                events.extend([Event::Arrives { at, answered: false }, Event::Lost(at)]);
            }
        }
        if !calm && Self::is_busy(world) {
            events.push(Event::Crash);
        }
        let due = world.intent.as_ref().is_some_and(|intent| {
            decide::next(intent, Millis::from(world.now) * TICK) == NextAction::QueryStatus && !Self::is_busy(world)
        });
        if due {
            events.push(Event::Look);
            if !calm && self.contact {
                events.push(Event::LookFails);
            }
        }
    }

    fn next_state(&self, before: &World, event: Event) -> Option<World> {
        let mut world = before.clone();
        let now = Millis::from(world.now) * TICK;
        match event {
            Event::Tick => {
                // Something that can happen at once does: time is not what goes on instead. A request may take its time.
                let urgent = world.now >= CALM && (Self::is_busy(&world) || Self::is_due(&world));
                if urgent {
                    return None;
                }
                world.now += 1;
                let over = |request: &Request| world.now >= request.started + QUIET;
                if world.requests.iter().any(|request| over(request) && request.awaited) {
                    let reason = Reason::of(Code::PendingConnectionLost);
                    let evidence = Evidence::InDoubt(reason);
                    let later = Millis::from(world.now) * TICK;
                    Self::learn(&mut world, |intent, timing| {
                        decide::after_attempt(intent, evidence.clone(), later, timing)
                    });
                }
                let now = world.now;
                world.requests.retain(|request| now < request.started + QUIET);
            }
            Event::SomebodyElseUses => world.used = Some((By::SomebodyElse, world.now)),
            Event::Arrives { at, answered } => {
                let request = world.requests.remove(at);
                let evidence = match world.used {
                    None => {
                        world.used = Some((By::Us, world.now));
                        Evidence::Completed { response: String::new() }
                    }
                    Some(_) if self.mutation == Mutation::AlreadyIsRefused => {
                        Evidence::Declined(Reason::of(Code::AlreadyRedeemed))
                    }
                    Some(_) => {
                        let mut found = Redemption::default();
                        found.detail.engage_code = Some("PromotionAlreadyRedeemed".into());
                        Evidence::Redeemed(found)
                    }
                };
                let forced = self.mutation == Mutation::AlreadyIsRefused;
                if request.awaited {
                    let evidence =
                        if answered { evidence } else { Evidence::InDoubt(Reason::of(Code::PendingConnectionLost)) };
                    Self::learn(&mut world, |intent, timing| {
                        let intent =
                            if forced { Intent { earlier_in_doubt: false, ..intent.clone() } } else { intent.clone() };
                        decide::after_attempt(&intent, evidence.clone(), now, timing)
                    });
                }
            }
            Event::Lost(at) => {
                let request = world.requests.remove(at);
                if request.awaited {
                    let evidence = Evidence::InDoubt(Reason::of(Code::PendingConnectionLost));
                    Self::learn(&mut world, |intent, timing| {
                        decide::after_attempt(intent, evidence.clone(), now, timing)
                    });
                }
            }
            Event::Crash => world.requests.iter_mut().for_each(|request| request.awaited = false),
            Event::Look => self.query_status(&mut world),
            Event::LookFails => {
                let evidence = Evidence::InDoubt(Reason::of(Code::PendingServerError));
                Self::learn(&mut world, |intent, timing| decide::after_query(intent, evidence.clone(), now, timing));
            }
        }
        (world != *before).then_some(world)
    }

    /// Without mistakes there is no such world; with some there would be no end to them.
    fn within_boundary(&self, world: &World) -> bool {
        world.left.len() < 8
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("told refused: it was not used by us", |_, world: &World| {
                world.outcome_of != Some(Outcome::Declined) || !matches!(world.used, Some((By::Us, _)))
            }),
            Property::always("told done: it was used by us, or while our request was under way", |_, world: &World| {
                world.outcome_of != Some(Outcome::Completed)
                    || match world.used {
                        Some((By::Us, _)) => true,
                        Some((By::SomebodyElse, at)) => {
                            world.left.iter().any(|start| (*start..=*start + QUIET).contains(&at))
                        }
                        None => false,
                    }
            }),
            Property::always("no second request while one may be under way", |_, world: &World| {
                world.requests.len() < 2
            }),
            Property::always("once the faults stop, it is known, or a person is asked", |_, world: &World| {
                world.now < END || world.outcome_of.is_some()
            }),
            Property::sometimes("completed", |_, world: &World| world.outcome_of == Some(Outcome::Completed)),
            Property::sometimes("declined", |_, world: &World| world.outcome_of == Some(Outcome::Declined)),
        ]
    }
}

impl Setting {
    fn is_due(world: &World) -> bool {
        world.intent.as_ref().is_some_and(|intent| {
            !intent.needs_review() && decide::next(intent, Millis::from(world.now) * TICK) == NextAction::QueryStatus
        })
    }
}

fn settings() -> Vec<Setting> {
    let flags = [false, true];
    let mut settings = Vec::new();
    for contact in flags {
        for clock in flags {
            for listed in flags {
                for dated in flags {
                    settings.push(Setting { contact, clock, listed, dated, mutation: Mutation::None });
                }
            }
        }
    }
    settings
}

/// Visits every state; the names of what is broken, and how many states there were.
fn check(setting: Setting) -> (Vec<&'static str>, usize) {
    let checker = setting.checker().spawn_bfs().join();
    let broken = checker.discoveries();
    let wrong = setting.properties().into_iter().filter(|property| {
        let found = broken.contains_key(property.name);
        match property.expectation {
            stateright::Expectation::Sometimes => !found,
            _ => found,
        }
    });
    (wrong.map(|property| property.name).collect(), checker.unique_state_count())
}

#[test]
fn a_redeem_keeps_its_promises_in_every_order_of_events() {
    let mut states = 0;
    for setting in settings() {
        let (broken, visited) = check(setting);
        assert!(broken.is_empty(), "{setting:?}: {broken:?}");
        states += visited;
    }
    println!("model redeem: {} settings, {states} states, 0 violations", settings().len());
}

#[test]
fn the_redeem_model_notices_every_mistake() {
    for mutation in [Mutation::AlreadyIsRefused, Mutation::RedeemedIsOurs, Mutation::IgnoreQuiet, Mutation::NoDoubt] {
        let noticed = settings().into_iter().any(|setting| !check(Setting { mutation, ..setting }).0.is_empty());
        assert!(noticed, "{mutation:?} goes unnoticed");
    }
}
