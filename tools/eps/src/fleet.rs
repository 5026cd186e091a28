//! `simulate-fleet`: the tills of a chain on one key after an outage, in virtual time. Each till
//! decides as the library does; this module is the network, the clock and Engage's limit.

use crate::Result;
use crate::cli::Fleet;
use crate::failure::Exit;
use crate::fleet_chart::chart;
use crate::journal::create;
use crate::output::{Output, Report};
use crate::progress::Progress;
use crate::table::Table;
use crate::till::Till;
use crate::times::span;
use engage_point_shop::RetryRules;
use engage_point_shop::fleet::{Reply, Request, Till as FleetTill};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// How long a request takes, and how long one without a response.
const LATENCY: Duration = Duration::from_millis(100);
/// So long after the start the tills sell.
const SELLING: Duration = Duration::from_secs(900);
/// A simulation ends here, whatever is pending.
const LIMIT: Duration = Duration::from_secs(86_400);

/// One run of the simulation.
#[derive(Debug)]
pub struct Outcome {
    pub jitter_ms: u64,
    /// Requests in each second.
    pub requests: Vec<u32>,
    /// Responses with 429.
    pub rate_limited: u64,
    /// When half, 99 % and all of the purchases were resolved, in ms.
    pub resolved_ms: [Option<u64>; 3],
    pub pending: usize,
    pub sales: u64,
    /// Sales whose first request got a 429.
    pub sales_hit: u64,
}

impl Outcome {
    pub fn peak(&self) -> u32 {
        self.requests.iter().copied().max().unwrap_or_default()
    }

    fn to_json(&self) -> Value {
        let [half, most, all] = self.resolved_ms;
        json!({
            "startupJitterMs": self.jitter_ms, "requests": self.requests.iter().map(|it| u64::from(*it)).sum::<u64>(),
            "peakRequestsPerSecond": self.peak(), "rateLimited": self.rate_limited, "halfResolvedMs": half,
            "99PercentResolvedMs": most, "allResolvedMs": all, "pending": self.pending,
            "sales": self.sales, "salesRateLimited": self.sales_hit,
        })
    }
}

/// Random numbers that a seed repeats (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// What happens at a time: a till acts, or gets a reply.
enum Event {
    Act,
    Query(Request, Reply),
    Attempt(Request, Reply),
    /// A sale, whose own repeat is not simulated.
    Sale,
}

/// Engage's limit, counted by the second as its pages state it.
struct Engage {
    rate: u32,
    outage: Duration,
    requests: Vec<u32>,
    rate_limited: u64,
}

impl Engage {
    fn reply(&mut self, now: Duration) -> (Reply, Duration) {
        let second = usize::try_from(now.as_secs()).unwrap_or(usize::MAX);
        if self.requests.len() <= second {
            self.requests.resize(second + 1, 0);
        }
        self.requests[second] += 1;
        if now < self.outage {
            return (Reply::Outage, LATENCY);
        }
        if self.requests[second] > self.rate {
            self.rate_limited += 1;
            return (Reply::RateLimited, LATENCY);
        }
        (Reply::Served, LATENCY)
    }
}

/// The order of events: by time, then by their number.
type Queue = BinaryHeap<Reverse<(Duration, u64, usize)>>;

pub fn simulate(fleet: &Fleet, rules: &RetryRules, request_timeout: Duration) -> Outcome {
    let mut random = Random(fleet.seed);
    let mut engage =
        Engage { rate: fleet.rate, outage: Duration::from_secs(fleet.outage_s), requests: Vec::new(), rate_limited: 0 };
    let (mut queue, mut events, mut number) = (Queue::new(), Vec::<Option<Event>>::new(), 0);
    let mut tills = Vec::with_capacity(fleet.tills);
    let mut push = |queue: &mut Queue, events: &mut Vec<Option<Event>>, at: Duration, till: usize, event: Event| {
        events.push(Some(event));
        queue.push(Reverse((at, number, till)));
        number += 1;
    };
    for at in 0..fleet.tills {
        let mut next = || random.next();
        let till = FleetTill::start(rules.clone(), request_timeout, fleet.pending, Duration::ZERO, &mut next);
        if let Some(due) = till.next_due() {
            push(&mut queue, &mut events, due, at, Event::Act);
        }
        if let Some(phase) = random.next().checked_rem(fleet.sale_every_s * 1_000) {
            push(&mut queue, &mut events, Duration::from_millis(phase), at, Event::Sale);
        }
        tills.push(till);
    }
    let (mut sales, mut sales_hit) = (0, 0);
    let total = fleet.tills * fleet.pending;
    let (mut resolved, mut times) = (0, [None; 3]);
    let limits = [total.div_ceil(2), (total * 99).div_ceil(100), total];
    while let Some(Reverse((now, event, at))) = queue.pop() {
        if now > LIMIT {
            break;
        }
        let till = &mut tills[at];
        let before = till.pending();
        let place = usize::try_from(event).unwrap_or(usize::MAX);
        match events[place].take() {
            Some(Event::Query(request, reply)) => {
                if till.on_query(request, reply, now, random.next()) {
                    let (reply, took) = engage.reply(now);
                    push(&mut queue, &mut events, now + took, at, Event::Attempt(request, reply));
                }
            }
            Some(Event::Attempt(request, reply)) => till.on_attempt(request, reply, now, random.next()),
            Some(Event::Sale) => {
                let (reply, _) = engage.reply(now);
                till.on_sale(reply, now, random.next());
                sales += 1;
                sales_hit += u64::from(reply == Reply::RateLimited);
                let next = now + Duration::from_secs(fleet.sale_every_s);
                if next < SELLING {
                    push(&mut queue, &mut events, next, at, Event::Sale);
                }
            }
            Some(Event::Act) | None => {}
        }
        while let Some(request) = till.act(now) {
            let (reply, took) = engage.reply(now);
            push(&mut queue, &mut events, now + took, at, Event::Query(request, reply));
        }
        if let Some(due) = till.next_due() {
            push(&mut queue, &mut events, due.max(now + Duration::from_millis(1)), at, Event::Act);
        }
        resolved += before - till.pending();
        for (time, limit) in times.iter_mut().zip(limits) {
            if resolved >= limit {
                time.get_or_insert(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
            }
        }
    }
    Outcome {
        jitter_ms: rules.startup_jitter_ms,
        requests: engage.requests,
        rate_limited: engage.rate_limited,
        resolved_ms: times,
        pending: total - resolved,
        sales,
        sales_hit,
    }
}

pub fn run(config: Option<&Path>, fleet: &Fleet, output: Output) -> Result<Report> {
    let values = config.map(|path| Till::read(Some(path))).transpose()?.map(|till| till.values).unwrap_or_default();
    let number = |key: &str, default: u64| values.get(key).and_then(Value::as_u64).unwrap_or(default);
    let schedule = values.get("retryScheduleMs").and_then(Value::as_array);
    let schedule_ms = schedule.map_or_else(
        || vec![10_000, 30_000, 60_000, 300_000],
        |waits| waits.iter().filter_map(Value::as_u64).collect(),
    );
    let request_timeout = Duration::from_millis(number("requestTimeoutMs", 60_000));
    let progress = Progress::start("simulating");
    let outcomes: Vec<Outcome> = fleet
        .startup_jitter_ms
        .iter()
        .map(|jitter| {
            let rules = RetryRules {
                schedule_ms: schedule_ms.clone(),
                startup_jitter_ms: *jitter,
                resend_limit_ms: number("resendLimitMs", 86_400_000),
            };
            simulate(fleet, &rules, request_timeout)
        })
        .collect();
    drop(progress);
    let mut text = format!(
        "{} tills start at once, {} pending purchases each; Engage takes {} requests/s{}.\n\n",
        fleet.tills,
        fleet.pending,
        fleet.rate,
        if fleet.outage_s > 0 { format!(", after {} s", fleet.outage_s) } else { String::new() }
    );
    text.push_str(&table(&outcomes, output));
    if let Some(path) = &fleet.svg {
        create(path, chart(&outcomes, fleet.rate).as_bytes())?;
        let _ = writeln!(text, "\nThe chart is {}.", path.display());
    }
    let runs: Vec<Value> = outcomes.iter().map(Outcome::to_json).collect();
    Ok(Report::new(Exit::Fine, json!({ "runs": runs }), text))
}

fn table(outcomes: &[Outcome], output: Output) -> String {
    let heads = ["STARTUPJITTERMS", "PEAK/S", "429S", "HALF", "99 %", "ALL", "SALES HIT"];
    let selling = outcomes.iter().any(|outcome| outcome.sales > 0);
    let columns = heads.len() - usize::from(!selling);
    let mut table = Table::new(0, &heads[..columns]);
    for outcome in outcomes {
        let [half, most, all] = outcome.resolved_ms.map(|time| time.map_or_else(|| "never".into(), span));
        let cells = [
            outcome.jitter_ms.to_string(),
            outcome.peak().to_string(),
            outcome.rate_limited.to_string(),
            half,
            most,
            all,
            format!("{} of {}", outcome.sales_hit, outcome.sales),
        ];
        table.push(cells.into_iter().take(columns), None);
    }
    table.render(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(jitter: u64, tills: usize, rate: u32, outage_s: u64) -> Outcome {
        selling(0, jitter, tills, rate, outage_s)
    }

    fn selling(sale_every_s: u64, jitter: u64, tills: usize, rate: u32, outage_s: u64) -> Outcome {
        let fleet = Fleet {
            tills,
            pending: 1,
            rate,
            outage_s,
            sale_every_s,
            startup_jitter_ms: vec![jitter],
            seed: 1,
            svg: None,
        };
        let rules = RetryRules {
            schedule_ms: vec![10_000, 30_000, 60_000, 300_000],
            startup_jitter_ms: jitter,
            resend_limit_ms: 86_400_000,
        };
        simulate(&fleet, &rules, Duration::from_secs(60))
    }

    #[test]
    fn one_till_asks_once_and_repeats_once() {
        let one = outcome(0, 1, 50, 0);
        assert_eq!((one.requests.iter().sum::<u32>(), one.rate_limited, one.pending), (2, 0, 0));
        assert_eq!(one.resolved_ms, [Some(200); 3]);
    }

    #[test]
    fn jitter_lowers_the_peak_and_ends_the_429s() {
        let (at_once, spread) = (outcome(0, 1_000, 50, 0), outcome(300_000, 1_000, 50, 0));
        assert!(at_once.peak() >= 1_000 && at_once.rate_limited > 0, "{}", at_once.peak());
        assert!(spread.peak() < 50 && spread.rate_limited == 0, "{}", spread.peak());
        assert_eq!((at_once.pending, spread.pending), (0, 0));
    }

    #[test]
    fn outage_is_waited_for_and_a_seed_repeats_the_run() {
        let one = outcome(30_000, 200, 50, 600);
        assert_eq!(one.pending, 0);
        assert!(one.resolved_ms[0].unwrap() >= 600_000, "{:?}", one.resolved_ms);
        assert_eq!(one.requests, outcome(30_000, 200, 50, 600).requests);
    }

    #[test]
    fn sales_are_counted_and_get_429s_beside_a_restart() {
        let quiet = selling(60, 300_000, 1_000, 200, 0);
        assert_eq!((quiet.sales, quiet.sales_hit, quiet.pending), (15_000, 0, 0));
        let busy = selling(60, 0, 1_000, 50, 0);
        assert!(busy.sales_hit > 0 && busy.pending == 0, "{}", busy.sales_hit);
    }
}
