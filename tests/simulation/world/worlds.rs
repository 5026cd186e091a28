//! The worlds: how a seed becomes a plan. A world keeps the assumptions A1 to A7 about Engage, or
//! is there to show that a promise needs one of them.

use super::engage::{CodePlace, HistoryForm, Nothing, RedeemForm, Rules};
use super::plan::{Action, Fate, Fault, Plan, Slot, WriteFailure};
use super::random::Rng;

/// A kind of world.
pub(crate) struct World {
    pub name: &'static str,
    pub text: &'static str,
    /// The assumption that does not hold in it.
    pub without: Option<&'static str>,
    change: fn(&mut Rng, &mut Plan),
}

pub(crate) const WORLDS: &[World] = &[
    World { name: "documented", text: "Engage as it is documented", without: None, change: |_, _| {} },
    World { name: "lag", text: "the history is late by up to 10 minutes", without: None, change: lag },
    World {
        name: "late-check",
        text: "contact, points and promotion are checked before the id",
        without: None,
        change: late_check,
    },
    World {
        name: "late-check-lag",
        text: "both of these",
        without: None,
        change: |rng, plan| {
            lag(rng, plan);
            late_check(rng, plan);
        },
    },
    World {
        name: "history",
        text: "the history in an envelope, in pages, with odd rows",
        without: None,
        change: history,
    },
    World { name: "merged", text: "the member is merged or erased", without: None, change: merged },
    World {
        name: "gateway",
        text: "a gateway responds 400, 401, 403, 404, 422 or a page",
        without: None,
        change: gateway,
    },
    World { name: "codes", text: "codes stand elsewhere in the body", without: None, change: codes },
    World { name: "clocks", text: "the till's clock jumps, or begins in 1970", without: None, change: clocks },
    World {
        name: "configurations",
        text: "two clients with different time-outs on one journal",
        without: None,
        change: configurations,
    },
    World {
        name: "suspended",
        text: "the till is suspended or stopped, around a redeem",
        without: None,
        change: suspended,
    },
    World { name: "receipts", text: "receipt numbers come again for other sales", without: None, change: receipts },
    World { name: "redeem", text: "rewards are redeemed, by this till and by others", without: None, change: redeem },
    World {
        name: "power",
        text: "a gateway declines, and the power fails at any moment",
        without: None,
        change: power,
    },
    World { name: "key", text: "the key is wrong for a time", without: None, change: key },
    World { name: "disk", text: "the disk fails, hangs and loses power", without: None, change: disk },
    World {
        name: "hour",
        text: "the history is late by up to an hour, and the configuration says so",
        without: None,
        change: hour,
    },
    World {
        name: "for-ever",
        text: "Engage processes a purchase for ever",
        without: None,
        change: |rng, plan| {
            posts(rng, plan, &[Fate::ProcessingForEver]);
        },
    },
    World { name: "crowd", text: "many cashiers press the same basket at once", without: None, change: crowd },
    World { name: "hanging", text: "Engage hangs, and many purchases are pending", without: None, change: hanging },
    World {
        name: "ended",
        text: "a process ends for ever, and another one of its till goes on",
        without: None,
        change: ended,
    },
    World { name: "memory", text: "only the memory has a completion", without: None, change: memory },
    World { name: "offline", text: "nothing leaves, and the cashiers press again", without: None, change: offline },
    World {
        name: "processing",
        text: "the history shows a purchase that is being processed only after its end",
        without: None,
        change: processing,
    },
    World {
        name: "redeem-again",
        text: "a reward is used before a second attempt, by this till or another channel",
        without: None,
        change: redeem_again,
    },
    World { name: "everything", text: "all of these together", without: None, change: everything },
    World {
        name: "without-A1",
        text: "Engage forgets purchase ids",
        without: Some("A1"),
        change: |rng, plan| {
            plan.rules.forgets_ids_after_ms = Some(rng.below(3_000));
            lag(rng, plan);
            posts(rng, plan, &[Fate::LoseResponse]);
        },
    },
    World {
        name: "without-A2",
        text: "the history is late by an hour, and nothing says so",
        without: Some("A2"),
        change: |rng, plan| {
            lag(rng, plan);
            late_check(rng, plan);
            plan.rules.lag_ms = 3_600_000;
        },
    },
    World {
        name: "without-A2-late",
        text: "requests arrive up to an hour late",
        without: Some("A2"),
        change: |rng, plan| {
            lag(rng, plan);
            late_check(rng, plan);
            let fates: Vec<Fate> = (0..3).map(|_| Fate::LateRequest { ms: rng.below(3_600_000) }).collect();
            posts(rng, plan, &fates);
        },
    },
    World {
        name: "without-A3",
        text: "a failed purchase is completed later",
        without: Some("A3"),
        change: |rng, plan| {
            let ms = rng.below(60_000);
            posts(rng, plan, &[Fate::Fails { completes_ms: Some(ms) }]);
        },
    },
    World {
        name: "without-A4",
        text: "a proxy sends a POST twice",
        without: Some("A4"),
        change: |rng, plan| {
            late_check(rng, plan);
            // The first copy finds too few points, and the second one finds enough, or the other
            // way round.
            let after_ms = rng.below(20_000);
            posts(rng, plan, &[Fate::Repeat { after_ms }, Fate::Repeat { after_ms: 10 }]);
            lag(rng, plan);
        },
    },
    World {
        name: "without-A5",
        text: "an attempt goes on after PromotionAssignmentError or 429",
        without: Some("A5"),
        change: |rng, plan| {
            lag(rng, plan);
            late_check(rng, plan);
            posts(rng, plan, &[Fate::AssignmentError { goes_on: true }, Fate::RateLimited { goes_on: true }]);
        },
    },
    World {
        name: "without-A6",
        text: "a 4xx replaces the response of a processed purchase",
        without: Some("A6"),
        change: |rng, plan| {
            lag(rng, plan);
            let status = rng.pick(&[400, 401, 403, 404, 422]);
            posts(rng, plan, &[Fate::Gateway { status, page: false, arrived: true }]);
        },
    },
    World {
        name: "without-A7",
        text: "another channel uses the reward while an attempt may be processed",
        without: Some("A7"),
        change: |rng, plan| {
            redeem(rng, plan);
            plan.rules.rewards_shared = true;
            posts(rng, plan, &[Fate::LoseRequest]);
            let at_ms = rng.below(10_000);
            plan.faults.push(Fault::OtherUses { gift: 0, at_ms });
        },
    },
];

pub(crate) fn world(name: &str) -> Option<&'static World> {
    WORLDS.iter().find(|world| world.name == name)
}

/// Makes the plan of a seed. `mild`: a till sells in mild weather.
pub(crate) fn plan(world: &World, seed: u64, mild: bool) -> Plan {
    let mut rng = Rng::new(seed, 3);
    let mut plan = if mild { mild_weather(&mut rng) } else { base(&mut rng) };
    (world.change)(&mut rng, &mut plan);
    plan
}

/// A till that makes 50 sales, each on a receipt of its own. One request of a hundred has a fault,
/// and nothing else fails.
fn mild_weather(rng: &mut Rng) -> Plan {
    const SALES: u32 = 50;
    let mut plan = Plan {
        rules: Rules {
            points: 100_000,
            no_codes: rng.chance(30),
            earlier_purchases: rng.pick(&[0, 1, 1, 2]),
            ..Rules::default()
        },
        calm_after_s: 3_600,
        sync_us: 2_000,
        ..Plan::default()
    };
    let timeout_ms = 60_000;
    let sale = |receipt| Action::Purchase {
        contact: u8::from(rng.chance(15)),
        item: u8::from(rng.chance(15)),
        receipt: Some(receipt),
        wait_ms: 8_000,
        sale: 0,
        snapshot: false,
        acknowledge: true,
    };
    let sales: Vec<Action> = (0..SALES).map(sale).collect();
    let pauses = (0..SALES).map(|_| Action::Sleep { ms: 5_000 + rng.below(60_000) });
    let actions = sales.into_iter().zip(pauses).flat_map(|(sale, pause)| [sale, pause]).collect();
    plan.slots.push(Slot {
        request_timeout_ms: timeout_ms,
        retry_schedule_ms: vec![10_000, 30_000, 60_000, 300_000],
        resend_limit_ms: 24 * 3_600_000,
        callers: vec![actions],
        ..Slot::default()
    });
    for number in 1..=u64::from(SALES) {
        if rng.chance(1) {
            plan.faults.push(Fault::Request { post: true, number, fate: fate(rng, timeout_ms) });
        }
        if rng.chance(1) {
            plan.faults.push(Fault::Request { post: false, number, fate: query_fate(rng, timeout_ms) });
        }
    }
    plan
}

const WAITS: [u64; 6] = [0, 30, 300, 3_000, 8_000, 20_000];

fn purchase(rng: &mut Rng, receipts: &[Option<u32>]) -> Action {
    Action::Purchase {
        contact: u8::from(rng.chance(15)),
        item: u8::from(rng.chance(15)),
        receipt: rng.pick(receipts),
        wait_ms: rng.pick(&WAITS),
        sale: 0,
        snapshot: rng.chance(10),
        acknowledge: rng.chance(30),
    }
}

/// A till in any weather.
fn base(rng: &mut Rng) -> Plan {
    let receipts = [Some(1), Some(1), Some(2), None];
    let mut plan = Plan {
        rules: Rules { points: rng.pick(&[100_000, 100_000, 150, 250]), ..Rules::default() },
        calm_after_s: 40 + rng.below(60),
        sync_us: rng.pick(&[0, 2_000, 2_000, 200_000]),
        slow_threads: rng.pick(&[0, 0, 0, 2, 16]),
        stay: rng.pick(&[0, 128, 230, 250]),
        priorities: rng.chance(25),
        ..Plan::default()
    };
    plan.rules.no_codes = rng.chance(30);
    // Most members have bought before, at least at another till.
    plan.rules.earlier_purchases = rng.pick(&[0, 1, 1, 2]);
    let request_timeout_ms = rng.pick(&[5_000, 5_000, 20_000, 60_000]);
    let schedule = rng.pick(&[0, 1, 2]);
    let slots = 1 + rng.below(2);
    for number in 0..slots {
        let till = if number == 1 && rng.chance(25) { 1 } else { 0 };
        let callers = (0..1 + rng.below(2))
            .map(|_| {
                let begins = rng.pick(&[0, 0, 30, 400, 4_000, 12_000]);
                let mut actions = vec![Action::Sleep { ms: rng.below(begins + 1) }];
                for _ in 0..1 + rng.below(3) {
                    actions.push(purchase(rng, &receipts));
                    if rng.chance(40) {
                        actions.push(Action::Sleep { ms: rng.below(10_000) });
                    }
                    if rng.chance(30) {
                        actions.push(Action::AcknowledgeAll);
                    }
                }
                if rng.chance(15) {
                    actions.push(Action::Resolve { wait_ms: 2_000 });
                }
                if rng.chance(6) {
                    actions.push(Action::CancelAll);
                }
                if rng.chance(6) {
                    actions.push(Action::Reopen { after_ms: rng.below(3_000) });
                    actions.push(purchase(rng, &receipts));
                }
                actions
            })
            .collect();
        plan.slots.push(Slot {
            till,
            opens_at_ms: number * rng.below(2) * rng.below(5_000),
            request_timeout_ms,
            retry_schedule_ms: [
                vec![10_000, 30_000, 60_000, 300_000],
                vec![1_000, 5_000, 60_000],
                vec![500, 500, 2_000, 60_000],
            ][usize::try_from(schedule).unwrap_or(0)]
            .clone(),
            resend_limit_ms: 2 * 3_600_000,
            history_lag_ms: None,
            ends_for_ever: false,
            logs: false,
            callers,
        });
    }
    let weather = rng.pick(&[0, 1, 3]);
    for _ in 0..weather {
        let fates: Vec<Fate> = (0..1 + rng.below(2)).map(|_| fate(rng, request_timeout_ms)).collect();
        posts(rng, &mut plan, &fates);
        if rng.chance(60) {
            let fate = query_fate(rng, request_timeout_ms);
            plan.faults.push(Fault::Request { post: false, number: 1 + rng.below(5), fate });
        }
    }
    if rng.chance(15) {
        crash(rng, &mut plan);
    }
    if rng.chance(10) {
        plan.faults.push(Fault::Expire { at_ms: rng.below(30_000) });
    }
    plan
}

/// Gives fates to some of the first requests that spend.
fn posts(rng: &mut Rng, plan: &mut Plan, fates: &[Fate]) {
    for fate in fates {
        plan.faults.push(Fault::Request { post: true, number: 1 + rng.below(4), fate: *fate });
    }
}

fn crash(rng: &mut Rng, plan: &mut Plan) {
    let slot = usize::try_from(rng.below(plan.slots.len() as u64)).unwrap_or(0);
    plan.faults.push(Fault::Crash { slot, effect: 1 + rng.below(30), power: rng.chance(50) });
}

fn fate(rng: &mut Rng, timeout_ms: u64) -> Fate {
    match rng.below(17) {
        0 => Fate::Offline,
        1 => Fate::SlowConnection { ms: rng.below(timeout_ms * 2) },
        2 | 3 => Fate::LoseRequest,
        4..=6 => Fate::LoseResponse,
        7 => Fate::SlowRequest { ms: rng.below(timeout_ms) },
        8 => Fate::SlowResponse { ms: rng.below(timeout_ms * 3 / 2) },
        9 => Fate::Reset { arrived: true },
        10 => Fate::Reset { arrived: false },
        11 => Fate::Gateway { status: rng.pick(&[502, 503, 504]), page: true, arrived: rng.chance(50) },
        12 => Fate::ServerError { status: rng.pick(&[500, 503]), processed: rng.chance(50) },
        13 => Fate::AssignmentError { goes_on: false },
        14 => Fate::RateLimited { goes_on: false },
        15 => Fate::Fails { completes_ms: None },
        _ => Fate::Processing { ms: rng.below(60_000), fails: rng.chance(40) },
    }
}

fn query_fate(rng: &mut Rng, timeout_ms: u64) -> Fate {
    match rng.below(7) {
        0 => Fate::Offline,
        1 => Fate::SlowConnection { ms: rng.below(timeout_ms * 2) },
        2 => Fate::LoseResponse,
        3 => Fate::SlowResponse { ms: rng.below(timeout_ms) },
        4 => Fate::RateLimited { goes_on: false },
        5 => Fate::Gateway { status: 502, page: true, arrived: false },
        _ => Fate::ServerError { status: 500, processed: false },
    }
}

fn lag(rng: &mut Rng, plan: &mut Plan) {
    plan.rules.lag_ms = rng.pick(&[500, 5_000, 60_000, 590_000]);
}

fn late_check(rng: &mut Rng, plan: &mut Plan) {
    plan.rules.checks_first = true;
    if rng.chance(50) {
        plan.rules.points = 150;
    }
    if rng.chance(30) {
        plan.faults.push(Fault::Expire { at_ms: rng.below(30_000) });
    }
}

fn history(rng: &mut Rng, plan: &mut Plan) {
    plan.rules.history = rng.pick(&[
        HistoryForm::Envelope,
        HistoryForm::CapitalEnvelope,
        HistoryForm::Page,
        HistoryForm::OddRows,
        HistoryForm::Numbers,
        HistoryForm::Capitals,
        HistoryForm::FailedRowFirst,
    ]);
    plan.rules.earlier_purchases = rng.pick(&[0, 1, 4]);
    plan.rules.nothing = rng.pick(&[Nothing::NotFound, Nothing::Empty404, Nothing::EmptyList]);
    if rng.chance(50) {
        late_check(rng, plan);
    }
}

fn merged(rng: &mut Rng, plan: &mut Plan) {
    plan.rules.nothing = rng.pick(&[Nothing::NotFound, Nothing::Empty404, Nothing::EmptyList, Nothing::InvalidContact]);
    plan.rules.merged_without_code = rng.chance(40);
    plan.rules.checks_first = rng.chance(50);
    plan.rules.earlier_purchases = rng.pick(&[0, 1]);
    plan.faults.push(Fault::Merge { at_ms: rng.below(20_000) });
    let receipt = rng.pick(&[Some(1), Some(2)]);
    if rng.chance(50)
        && let Some(actions) = plan.slots[0].callers.first_mut()
    {
        actions.push(Action::Sleep { ms: rng.below(10_000) });
        actions.push(Action::Purchase {
            contact: 2,
            item: 0,
            receipt,
            wait_ms: rng.pick(&WAITS),
            sale: 0,
            snapshot: false,
            acknowledge: false,
        });
    }
    posts(rng, plan, &[Fate::LoseResponse]);
}

fn gateway(rng: &mut Rng, plan: &mut Plan) {
    if rng.chance(60) {
        lag(rng, plan);
    }
    for _ in 0..1 + rng.below(3) {
        let status = rng.pick(&[400, 401, 403, 404, 404, 422, 200]);
        let fate = Fate::Gateway { status, page: status == 200 || rng.chance(40), arrived: false };
        if rng.chance(30) {
            let from_ms = rng.below(30_000);
            plan.faults.push(Fault::Outage { from_ms, until_ms: from_ms + rng.below(20_000), fate });
        } else {
            let post = rng.chance(70);
            plan.faults.push(Fault::Request { post, number: 1 + rng.below(5), fate });
        }
    }
    posts(rng, plan, &[Fate::LoseResponse]);
}

fn codes(rng: &mut Rng, plan: &mut Plan) {
    plan.rules.code_place = rng.pick(&[
        CodePlace::Message,
        CodePlace::Title,
        CodePlace::Nested,
        CodePlace::Bare,
        CodePlace::OtherCase,
        CodePlace::List,
    ]);
    let (ms, fails) = (rng.below(60_000), rng.chance(30));
    posts(rng, plan, &[Fate::Processing { ms, fails }, Fate::AssignmentError { goes_on: false }]);
}

fn clocks(rng: &mut Rng, plan: &mut Plan) {
    const DAY_MS: i64 = 86_400_000;
    let start = i64::try_from(super::state::START_MS).unwrap_or(0);
    let tills = if plan.slots.iter().any(|slot| slot.till == 1) { 2 } else { 1 };
    for till in 0..tills {
        match rng.below(4) {
            // Set forward or back while running.
            0 => {
                let offset_ms = rng.pick(&[3_600_000, -3_600_000, 7_200_000, -7_200_000, 60_000, 90 * DAY_MS]);
                plan.faults.push(Fault::Clock { till, at_ms: rng.below(30_000), offset_ms });
            }
            // 1970 or 1999 at boot, put right later.
            1 => {
                let offset_ms = rng.pick(&[-start, 946_000_000_000 - start]);
                plan.faults.push(Fault::Clock { till, at_ms: 0, offset_ms });
                plan.faults.push(Fault::Clock { till, at_ms: rng.below(15_000), offset_ms: 0 });
            }
            // One start far ahead.
            2 => {
                let at_ms = rng.below(20_000);
                plan.faults.push(Fault::Clock { till, at_ms, offset_ms: 100 * DAY_MS });
                plan.faults.push(Fault::Clock { till, at_ms: at_ms + rng.below(20_000), offset_ms: 0 });
            }
            _ => plan.faults.push(Fault::Clock { till, at_ms: 0, offset_ms: -5 * DAY_MS }),
        }
    }
    for actions in plan.slots.iter_mut().flat_map(|slot| slot.callers.iter_mut()) {
        actions.push(Action::AcknowledgeAll);
        actions.push(Action::Reopen { after_ms: rng.below(3_000) });
        actions.push(purchase(rng, &[Some(1), Some(2)]));
    }
    posts(rng, plan, &[Fate::LoseResponse]);
    let ms = rng.below(60_000);
    posts(rng, plan, &[Fate::SlowRequest { ms }]);
    lag(rng, plan);
}

fn configurations(rng: &mut Rng, plan: &mut Plan) {
    if plan.slots.len() < 2 {
        let slot = plan.slots[0].clone();
        plan.slots.push(slot);
    }
    plan.slots[0].till = 0;
    plan.slots[1].till = 0;
    plan.slots[0].request_timeout_ms = 60_000;
    plan.slots[1].request_timeout_ms = rng.pick(&[1_000, 5_000]);
    plan.slots[1].retry_schedule_ms = vec![500, 500, 500, 2_000, 60_000];
    let ms = rng.below(60_000);
    posts(rng, plan, &[Fate::SlowRequest { ms }, Fate::SlowRequest { ms }]);
    if rng.chance(50) {
        let ms = rng.below(60_000);
        posts(rng, plan, &[Fate::SlowConnection { ms }]);
    }
}

fn receipts(rng: &mut Rng, plan: &mut Plan) {
    // The next day is half a minute here: what counts is that the first sale is over.
    let callers = plan.slots.len();
    let next_day: Vec<Action> = vec![
        Action::Sleep { ms: 15_000 + rng.below(10_000) },
        Action::AcknowledgeAll,
        Action::Sleep { ms: 13 * 3_600_000 },
        Action::Purchase {
            contact: 0,
            item: 0,
            receipt: Some(1),
            wait_ms: 8_000,
            sale: 1,
            snapshot: false,
            acknowledge: true,
        },
        Action::Sleep { ms: 30_000 },
        Action::Purchase {
            contact: 0,
            item: 0,
            receipt: Some(1),
            wait_ms: 8_000,
            sale: 1,
            snapshot: false,
            acknowledge: true,
        },
    ];
    let slot = usize::try_from(rng.below(callers as u64)).unwrap_or(0);
    plan.slots.truncate(1);
    plan.slots[0].callers.truncate(1);
    plan.slots[0].callers[0].extend(next_day);
    plan.faults.retain(|fault| !matches!(fault, Fault::Crash { slot, .. } if *slot > 0));
    let _ = slot;
}

fn redeem(rng: &mut Rng, plan: &mut Plan) {
    plan.gifts = 2;
    plan.rules.reward_lag_ms = rng.pick(&[0, 0, 1_000, 30_000, 590_000]);
    plan.rules.redeem = rng.pick(&[RedeemForm::Reward, RedeemForm::Reward, RedeemForm::Empty, RedeemForm::ErrorIn200]);
    let gift = u8::try_from(rng.below(2)).unwrap_or(0);
    if rng.chance(30) {
        // Where that is within a minute of an attempt of this till, the judge counts no completion
        // of it (A7).
        let at_ms = match rng.below(3) {
            0 => 0,
            1 => rng.below(60_000),
            _ => 120_000 + rng.below(400_000),
        };
        plan.faults.push(Fault::OtherUses { gift, at_ms });
    }
    // Of two tills that use one reward within seconds, nobody could say which one did.
    plan.slots.iter_mut().for_each(|slot| slot.till = 0);
    plan.faults.retain(|fault| !matches!(fault, Fault::Clock { till: 1, .. }));
    for actions in plan.slots.iter_mut().flat_map(|slot| slot.callers.iter_mut()) {
        let mut more = Vec::new();
        for action in actions.drain(..) {
            let buys = matches!(action, Action::Purchase { .. });
            more.push(action);
            if buys && rng.chance(60) {
                more.push(Action::UseReward { wait_ms: rng.pick(&WAITS) });
            }
            if rng.chance(30) {
                let receipt = rng.pick(&[None, Some(1), Some(2)]);
                let (wait_ms, name_contact) = (rng.pick(&WAITS), rng.chance(80));
                more.push(Action::UseGift { gift, receipt, wait_ms, name_contact });
            }
        }
        *actions = more;
    }
}

fn key(rng: &mut Rng, plan: &mut Plan) {
    let from_ms = rng.below(20_000);
    let fate = Fate::Gateway { status: rng.pick(&[401, 403]), page: false, arrived: false };
    plan.faults.push(Fault::Outage { from_ms, until_ms: from_ms + rng.below(60_000), fate });
    posts(rng, plan, &[Fate::LoseResponse]);
    for actions in plan.slots.iter_mut().flat_map(|slot| slot.callers.iter_mut()) {
        actions.push(Action::Sleep { ms: 70_000 });
        actions.push(purchase(rng, &[Some(1), Some(2)]));
    }
}

fn disk(rng: &mut Rng, plan: &mut Plan) {
    for _ in 0..1 + rng.below(4) {
        let failure = match rng.below(4) {
            0 => WriteFailure::Fails,
            1 => WriteFailure::SyncFails,
            2 => WriteFailure::SyncAndWithdrawalFail,
            _ => WriteFailure::Hangs { ms: rng.pick(&[500, 5_000, 60_000]) },
        };
        plan.faults.push(Fault::Write { till: 0, number: 1 + rng.below(12), failure });
        if rng.chance(60) {
            plan.faults.push(Fault::Read { till: 0, number: 1 + rng.below(20) });
        }
    }
    crash(rng, plan);
}

fn crowd(rng: &mut Rng, plan: &mut Plan) {
    plan.sync_us = rng.pick(&[2_000, 200_000, 200_000]);
    let receipt = rng.pick(&[None, Some(1)]);
    for slot in &mut plan.slots {
        for _ in 0..2 {
            let begins = rng.pick(&[0, 0, 30, 400]);
            let mut actions = vec![Action::Sleep { ms: rng.below(begins + 1) }];
            for _ in 0..2 {
                match rng.below(4) {
                    0 => actions.push(Action::Resolve { wait_ms: rng.pick(&WAITS) }),
                    1 => actions.push(Action::AcknowledgeAll),
                    _ => {
                        let wait_ms = rng.pick(&WAITS);
                        let acknowledge = rng.chance(50);
                        let (contact, item, sale, snapshot) = (0, 0, 0, false);
                        actions.push(Action::Purchase { contact, item, receipt, wait_ms, sale, snapshot, acknowledge });
                    }
                }
            }
            slot.callers.push(actions);
        }
    }
    if rng.chance(60) {
        let failure = rng.pick(&[
            WriteFailure::Fails,
            WriteFailure::SyncFails,
            WriteFailure::SyncAndWithdrawalFail,
            WriteFailure::Hangs { ms: 1_000 },
        ]);
        plan.faults.push(Fault::Write { till: 0, number: 2 + rng.below(8), failure });
    }
    if rng.chance(40) {
        plan.faults.push(Fault::Read { till: 0, number: 1 + rng.below(20) });
    }
    posts(rng, plan, &[Fate::SlowResponse { ms: 300 }]);
    if rng.chance(30) {
        // A status query of everything, at every moment of the first purchases.
        let resolves = (0..12).flat_map(|_| [Action::Resolve { wait_ms: 0 }, Action::Sleep { ms: rng.below(30) }]);
        let resolves: Vec<Action> = resolves.collect();
        plan.slots[0].callers.push(resolves);
    }
}

fn hanging(rng: &mut Rng, plan: &mut Plan) {
    plan.slots.truncate(1);
    plan.faults.clear();
    plan.sync_us = 0;
    plan.slow_threads = 0;
    let slot = &mut plan.slots[0];
    slot.request_timeout_ms = 60_000;
    slot.callers.clear();
    let pending = 20 + u32::try_from(rng.below(30)).unwrap_or(0);
    for receipt in 0..pending {
        slot.callers.push(vec![Action::Sleep { ms: rng.below(4_000) }, sale(100 + receipt, 300)]);
    }
    slot.callers.push(vec![Action::Sleep { ms: 8_000 }, sale(1, 3_000)]);
    plan.faults.push(Fault::Outage { from_ms: 0, until_ms: 30_000, fate: Fate::LoseResponse });
}

pub(crate) fn sale(receipt: u32, wait_ms: u64) -> Action {
    let (contact, item, sale) = (0, 0, 0);
    Action::Purchase { contact, item, receipt: Some(receipt), wait_ms, sale, snapshot: false, acknowledge: false }
}

fn power(rng: &mut Rng, plan: &mut Plan) {
    gateway(rng, plan);
    plan.faults.retain(|fault| !matches!(fault, Fault::Crash { .. }));
    if rng.chance(40) {
        // One sale, which is declined on the word of a gateway.
        plan.slots.truncate(1);
        plan.slots[0].callers = vec![vec![sale(1, 8_000)]];
        let fate = Fate::Gateway { status: rng.pick(&[400, 404, 422]), page: false, arrived: false };
        plan.faults = vec![Fault::Request { post: true, number: 1, fate }];
    }
    let slot = usize::try_from(rng.below(plan.slots.len() as u64)).unwrap_or(0);
    plan.faults.push(Fault::Crash { slot, effect: 5 + rng.below(20), power: true });
}

fn ended(rng: &mut Rng, plan: &mut Plan) {
    plan.slots.truncate(1);
    plan.slots.push(plan.slots[0].clone());
    plan.slots.iter_mut().for_each(|slot| slot.till = 0);
    plan.slots[1].ends_for_ever = true;
    plan.faults.retain(|fault| !matches!(fault, Fault::Crash { .. }));
    plan.faults.push(Fault::Crash { slot: 1, effect: 3 + rng.below(20), power: false });
    posts(rng, plan, &[Fate::LoseResponse, Fate::LoseRequest]);
}

fn memory(rng: &mut Rng, plan: &mut Plan) {
    plan.slots.truncate(1);
    plan.sync_us = rng.pick(&[0, 2_000]);
    plan.faults.clear();
    let pressed = |rng: &mut Rng| {
        let again = (0..6).flat_map(|_| [sale(1, rng.pick(&[0, 0, 30])), Action::Sleep { ms: rng.below(200) }]);
        again.collect::<Vec<_>>()
    };
    let first = [vec![sale(1, 8_000)], pressed(rng)].concat();
    let second = [vec![Action::Sleep { ms: rng.below(200) }], pressed(rng)].concat();
    if rng.chance(50) {
        // The completion is stored at once, and the presses come at every moment of that.
        let all_at_once = || (0..8).map(|_| sale(1, 0));
        plan.slots[0].callers = (0..3).map(|_| [sale(1, 8_000)].into_iter().chain(all_at_once()).collect()).collect();
        return;
    }
    plan.slots[0].callers = vec![first, second];
    plan.faults.push(Fault::Write { till: 0, number: 2 + rng.below(3), failure: WriteFailure::Fails });
    let first_read = 1 + rng.below(30);
    plan.faults.extend((first_read..first_read + 8).map(|number| Fault::Read { till: 0, number }));
}

fn offline(rng: &mut Rng, plan: &mut Plan) {
    plan.sync_us = rng.pick(&[0, 0, 2_000]);
    plan.priorities = rng.chance(50);
    plan.slots.truncate(1);
    plan.faults.clear();
    let offline = (1..4).map(|number| Fault::Request { post: true, number, fate: Fate::Offline });
    plan.faults.extend(offline.filter(|_| rng.chance(70)));
    plan.slots[0].callers = (0..2 + rng.below(3))
        .map(|_| (0..3).flat_map(|_| [Action::Sleep { ms: rng.below(30) }, sale(1, 8_000)]).collect())
        .collect();
}

fn processing(rng: &mut Rng, plan: &mut Plan) {
    late_check(rng, plan);
    lag(rng, plan);
    plan.rules.hides_processing = true;
    // The response that says so must reach the till, or the request might be lost as well.
    plan.slots.truncate(1);
    plan.faults.retain(|fault| matches!(fault, Fault::Expire { .. }));
    plan.slots[0].callers.iter_mut().flatten().for_each(|action| {
        if matches!(action, Action::CancelAll | Action::Reopen { .. }) {
            *action = Action::Sleep { ms: 0 };
        }
    });
    let ms = rng.pick(&[1_000, 60_000, 1_200_000, 3_600_000]);
    plan.faults.push(Fault::Request { post: true, number: 1, fate: Fate::Processing { ms, fails: rng.chance(20) } });
    let status = rng.pick(&[400, 404, 422]);
    let fate = Fate::Gateway { status, page: rng.chance(30), arrived: false };
    plan.faults.push(Fault::Request { post: true, number: 2 + rng.below(2), fate });
}

fn redeem_again(rng: &mut Rng, plan: &mut Plan) {
    plan.slots.truncate(1);
    plan.faults.clear();
    plan.gifts = 1;
    plan.rules.reward_lag_ms = rng.pick(&[60_000, 590_000]);
    plan.rules.earlier_purchases = 1;
    plan.calm_after_s = 500;
    plan.slots[0].request_timeout_ms = 5_000;
    let gift = |receipt, wait_ms| Action::UseGift { gift: 0, receipt: Some(receipt), wait_ms, name_contact: true };
    let first = |fate| Fault::Request { post: true, number: 1, fate };
    // No query is possible between the attempts.
    let outage = Fault::Outage { from_ms: 3_000, until_ms: 400_000, fate: Fate::Offline };
    plan.slots[0].callers = vec![vec![gift(1, 3_000)]];
    match rng.below(3) {
        // More than a minute after the first attempt, and before the second one (A7).
        0 => {
            let other = Fault::OtherUses { gift: 0, at_ms: 100_000 + rng.below(150_000) };
            plan.faults = vec![first(Fate::LoseRequest), outage, other];
        }
        // The first attempt has used it, at a time that the next start does not know.
        1 => {
            plan.slots[0].callers[0].push(Action::Reopen { after_ms: rng.below(3_000) });
            plan.faults = vec![first(Fate::LoseResponse), outage];
        }
        // Nothing of the first receipt has left, and the second one uses it.
        _ => {
            plan.slots[0].callers =
                vec![vec![gift(1, 3_000), gift(2, 300), gift(1, 300), gift(2, 300), gift(1, 3_000)]];
            let slow = Fault::Request { post: true, number: 2, fate: Fate::LoseResponse };
            plan.faults = vec![first(Fate::Offline), slow];
        }
    }
}

fn suspended(rng: &mut Rng, plan: &mut Plan) {
    plan.slots.truncate(1);
    plan.faults.clear();
    plan.gifts = 1;
    plan.rules.earlier_purchases = 1;
    plan.slots[0].request_timeout_ms = 5_000;
    plan.rules.reward_lag_ms = rng.pick(&[0, 5_000, 590_000]);
    plan.slots[0].history_lag_ms = Some(plan.rules.reward_lag_ms);
    let gift = Action::UseGift { gift: 0, receipt: Some(2), wait_ms: 3_000, name_contact: rng.chance(80) };
    let first = if rng.chance(70) { sale(1, 3_000) } else { Action::Sleep { ms: 0 } };
    plan.slots[0].callers = vec![vec![first, Action::Sleep { ms: 5_000 }, gift, sale(3, 3_000)]];
    let (ms, suspended) = (rng.pick(&[20_000, 90_000, 300_000, 7_200_000, 108_000_000]), rng.chance(60));
    plan.calm_after_s = 500 + ms / 1_000;
    let fates = [Fate::LoseResponse, Fate::LoseRequest, Fate::ServerError { status: 504, processed: true }];
    let mut lost = |rng: &mut Rng| {
        let (number, fate) = (1 + rng.below(3), rng.pick(&fates));
        plan.faults.push(Fault::Request { post: true, number, fate });
    };
    lost(rng);
    lost(rng);
    if rng.chance(50) {
        let number = 1 + rng.below(3);
        plan.faults.insert(0, Fault::Request { post: true, number, fate: Fate::Pause { ms, suspended } });
    } else {
        plan.faults.push(Fault::Pause { till: 0, at_ms: rng.below(12_000), ms, suspended });
    }
    if rng.chance(30) {
        // No query is possible between the attempts.
        let from_ms = 6_000 + rng.below(2) * ms;
        plan.faults.push(Fault::Outage { from_ms, until_ms: from_ms + 400_000, fate: Fate::Offline });
    }
    if rng.chance(30) {
        let at_ms = rng.pick(&[0, 30_000, 100_000, 1_000_000]);
        plan.faults.push(Fault::OtherUses { gift: 0, at_ms });
    }
    if rng.chance(30) {
        plan.faults.push(Fault::Crash { slot: 0, effect: 5 + rng.below(25), power: rng.chance(50) });
    }
}

fn hour(rng: &mut Rng, plan: &mut Plan) {
    late_check(rng, plan);
    plan.rules.lag_ms = 3_500_000;
    for slot in &mut plan.slots {
        slot.history_lag_ms = Some(3_600_000);
    }
    posts(rng, plan, &[Fate::LoseResponse]);
}

fn everything(rng: &mut Rng, plan: &mut Plan) {
    let changes: [fn(&mut Rng, &mut Plan); 11] =
        [lag, late_check, history, merged, gateway, codes, clocks, redeem, disk, key, crowd];
    for _ in 0..2 + rng.below(3) {
        rng.pick(&changes)(rng, plan);
    }
}
