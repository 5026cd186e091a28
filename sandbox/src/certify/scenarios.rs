//! The scenarios: the faults, the allowed outcomes and the expected deductions.
//! A till passes if it reports only correct outcomes to the cashier, and if each completed sale is
//! deducted exactly once.

use std::time::Duration;

use uuid::Uuid;

use super::runner::{Runner, Sale, is_purchase};
use super::till::ReportedOutcome;
use crate::ledger::{Behaviour, Ending, Item, ProcessingResponse};
use crate::seed::demo;
use crate::{Effect, Fault, FaultResponse, Operation, Sandbox};

pub(super) struct Scenario {
    pub name: &'static str,
    /// One sentence for a retailer.
    pub title: &'static str,
    pub run: fn(&mut Runner<'_>),
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "sale", title: "A member buys a reward", run: sale },
    Scenario { name: "second-press", title: "The same sale is pressed again: it is bought once", run: second_press },
    Scenario { name: "two-presses-at-once", title: "The cashier presses twice at the same moment", run: at_once },
    Scenario {
        name: "two-sales",
        title: "The member buys the same reward on another receipt: that is another purchase",
        run: two_sales,
    },
    Scenario { name: "not-enough-points", title: "The member has not enough points", run: not_enough_points },
    Scenario { name: "promotion-removed", title: "The reward's promotion was removed", run: promotion_removed },
    Scenario { name: "purchase-failed", title: "Engage says that the purchase failed", run: purchase_failed },
    Scenario { name: "processing", title: "Engage is still processing, and completes later", run: processing },
    Scenario {
        name: "processing-timed-out",
        title: "Engage gives up waiting for itself, and completes later",
        run: processing_timed_out,
    },
    Scenario { name: "processing-fails", title: "Engage is still processing, and fails later", run: processing_fails },
    Scenario { name: "answer-lost", title: "The points are deducted and the answer is lost", run: answer_lost },
    Scenario {
        name: "answer-cut",
        title: "The points are deducted and the answer breaks off in the middle",
        run: answer_cut,
    },
    Scenario {
        name: "answer-never-comes",
        title: "The points are deducted and the connection stays silent",
        run: answer_never_comes,
    },
    Scenario { name: "slow-answer", title: "The answer comes after the cashier's wait", run: slow_answer },
    Scenario {
        name: "request-lost",
        title: "The connection breaks before Engage has processed the purchase",
        run: request_lost,
    },
    Scenario { name: "web-page", title: "A web filter answers with a page in Engage's place", run: web_page },
    Scenario {
        name: "web-page-after-deduction",
        title: "The points are deducted, and a proxy answers with a page",
        run: web_page_after,
    },
    Scenario { name: "server-error", title: "Engage fails with an internal error, once", run: server_error },
    Scenario {
        name: "gateway-timeout",
        title: "The points are deducted, and a gateway says that time is out",
        run: gateway_timeout,
    },
    Scenario { name: "assignment-error", title: "Engage fails to assign the reward, once", run: assignment_error },
    Scenario { name: "too-many-requests", title: "Engage turns the till away for a while", run: too_many_requests },
    Scenario { name: "redirect", title: "A captive portal redirects the purchase to another server", run: redirect },
    Scenario { name: "offline-start", title: "The till starts without a network", run: offline_start },
    Scenario {
        name: "network-cut",
        title: "The network goes away during the purchase and stays away",
        run: network_cut,
    },
    Scenario {
        name: "wrong-authority",
        title: "The server's certificate is from an authority that is not trusted",
        run: wrong_authority,
    },
    Scenario { name: "wrong-key", title: "The API key is wrong", run: wrong_key },
    Scenario {
        name: "wrong-clock",
        title: "Engage's clock is three days behind, and the answer is lost",
        run: wrong_clock,
    },
    Scenario {
        name: "power-cut-before-sending",
        title: "The power is cut before the purchase is sent",
        run: power_cut_before,
    },
    Scenario {
        name: "power-cut-request-sent",
        title: "The power is cut when the request has reached Engage, which never processes it",
        run: power_cut_sent,
    },
    Scenario {
        name: "power-cut-answer-due",
        title: "The power is cut when the points are deducted and the answer is due",
        run: power_cut_due,
    },
    Scenario {
        name: "power-cut-late-deduction",
        title: "The power is cut, and Engage deducts only when the till is back",
        run: power_cut_late,
    },
    Scenario { name: "power-cut-twice", title: "The power is cut, and again during the restart", run: power_cut_twice },
    Scenario {
        name: "queue-goes-on",
        title: "One sale is not settled, and the next customer is served",
        run: queue_goes_on,
    },
    Scenario {
        name: "redeem-unanswered",
        title: "The reward is used, and no answer comes: the purchase is told all the same",
        run: redeem_unanswered,
    },
    Scenario { name: "journal-unwritable", title: "The till cannot write its journal", run: journal_unwritable },
];

use ReportedOutcome::{Completed, Declined, NotSent, Other, Pending};

/// A sale of a coffee for 100 points to a member with enough points.
const COFFEE: Sale = Sale { reference: "receipt 4711", contact: demo::ASTRID, item: demo::COFFEE };

fn of(item: Uuid) -> Sale {
    Sale { item, ..COFFEE }
}

fn on_purchase(effect: Effect) -> Fault {
    Fault::on(Operation::Purchase, effect)
}

const MAY_BE_DEDUCTED: &str = "the purchase may have been made: it is bought or pending";

/// Runs a sale under a fault. Once the fault has ended, the sale must complete with one deduction.
fn completes_once_despite(runner: &mut Runner<'_>, what: &str, fault: Fault) {
    runner.arm(what, fault);
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Completed, Pending], MAY_BE_DEDUCTED);
    runner.clear_faults();
    resolves_completed_once(runner);
}

fn resolves_completed_once(runner: &mut Runner<'_>) {
    runner.resolve(COFFEE, Completed);
    runner.expect_deducted(&[(COFFEE, 1)]);
}

fn declined(runner: &mut Runner<'_>, sale: Sale) {
    let reported = runner.press(sale);
    runner.expect(reported, &[Declined], "Engage refused it: it is refused, and nothing else");
    runner.expect_deducted(&[(sale, 0)]);
}

fn sale(runner: &mut Runner<'_>) {
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Completed], "nothing went wrong: it is bought");
    runner.expect_deducted(&[(COFFEE, 1)]);
}

fn second_press(runner: &mut Runner<'_>) {
    for _ in 0..2 {
        let reported = runner.press(COFFEE);
        runner.expect(reported, &[Completed], "nothing went wrong: it is bought");
    }
    runner.expect_deducted(&[(COFFEE, 1)]);
}

fn at_once(runner: &mut Runner<'_>) {
    for reported in runner.press_twice(COFFEE) {
        runner.expect(reported, &[Completed, Pending], MAY_BE_DEDUCTED);
    }
    resolves_completed_once(runner);
}

fn two_sales(runner: &mut Runner<'_>) {
    for reference in ["receipt 4711", "receipt 4712"] {
        let reported = runner.press(Sale { reference, ..COFFEE });
        runner.expect(reported, &[Completed], "nothing went wrong: it is bought");
    }
    runner.expect_deducted(&[(COFFEE, 2)]);
}

fn not_enough_points(runner: &mut Runner<'_>) {
    declined(runner, Sale { contact: demo::BJORN, ..of(demo::TOTE_BAG) });
}

fn promotion_removed(runner: &mut Runner<'_>) {
    declined(runner, of(demo::PROMOTION_REMOVED));
}

fn purchase_failed(runner: &mut Runner<'_>) {
    declined(runner, of(demo::FAILS));
}

/// Adds an item whose purchase takes longer than the cashier's wait.
fn slow_item(runner: &mut Runner<'_>, response: ProcessingResponse, ends: Ending) -> Sale {
    let for_ms = u32::try_from(runner.wait().as_millis()).unwrap_or(u32::MAX).saturating_add(1000);
    let item = Item { behaviour: Behaviour::Processing { for_ms, response, ends }, ..Item::new("Cinema ticket", 100) };
    let sale = of(item.id);
    if let Err(invalid) = runner.sandbox.add_item(item) {
        runner.fail(&invalid.to_string());
    }
    runner.note(&format!("Engage takes {:.1} s to process the purchase.", f64::from(for_ms) / 1000.0));
    sale
}

fn slow_purchase(runner: &mut Runner<'_>, response: ProcessingResponse, ends: Ending, end: ReportedOutcome) {
    let sale = slow_item(runner, response, ends);
    let reported = runner.press(sale);
    runner.expect(reported, &[end, Pending], "Engage has not decided: it is pending");
    runner.resolve(sale, end);
    runner.expect_deducted(&[(sale, usize::from(end == Completed))]);
}

fn processing(runner: &mut Runner<'_>) {
    slow_purchase(runner, ProcessingResponse::Processing, Ending::Completed, Completed);
}

fn processing_timed_out(runner: &mut Runner<'_>) {
    slow_purchase(runner, ProcessingResponse::TimedOut, Ending::Completed, Completed);
}

fn processing_fails(runner: &mut Runner<'_>) {
    slow_purchase(runner, ProcessingResponse::Processing, Ending::Failed, Declined);
}

fn answer_lost(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::CloseAfterCommit);
    completes_once_despite(runner, "The answer to the purchase will be lost.", fault);
}

fn answer_cut(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::Truncate { bytes: 200 });
    completes_once_despite(runner, "The answer to the purchase will break off after 200 bytes.", fault);
}

fn answer_never_comes(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::StallAfterCommit);
    completes_once_despite(runner, "The answer to the purchase will not come, and the connection stays open.", fault);
}

fn slow_answer(runner: &mut Runner<'_>) {
    let late = runner.wait() + Duration::from_secs(2);
    let fault = on_purchase(Effect::Delay { ms: u32::try_from(late.as_millis()).unwrap_or(u32::MAX) });
    runner.arm(&format!("Engage will take {:.1} s to see the purchase.", late.as_secs_f64()), fault);
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Completed, Pending], MAY_BE_DEDUCTED);
    runner.wait_for(late);
    resolves_completed_once(runner);
}

fn request_lost(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::ResetBeforeCommit);
    completes_once_despite(runner, "The connection will be reset when the purchase arrives.", fault);
}

fn web_page(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::Html);
    completes_once_despite(runner, "A web filter will answer the purchase with a page and status 200.", fault);
}

fn web_page_after(runner: &mut Runner<'_>) {
    let page = FaultResponse {
        content_type: Some("text/html".to_owned()),
        body: Some("<html><body>The proxy is busy</body></html>".to_owned()),
        ..FaultResponse::status(200)
    };
    let fault = on_purchase(Effect::StatusAfterCommit(page));
    completes_once_despite(runner, "A proxy will answer with a page once the points are deducted.", fault);
}

fn server_error(runner: &mut Runner<'_>) {
    let answer = FaultResponse {
        content_type: Some("text/plain".to_owned()),
        body: Some("An error has occurred".to_owned()),
        ..FaultResponse::status(500)
    };
    completes_once_despite(runner, "Engage will answer 500 to the purchase.", on_purchase(Effect::Status(answer)));
}

fn gateway_timeout(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::StatusAfterCommit(FaultResponse::status(504)));
    completes_once_despite(runner, "A gateway will answer 504 once the points are deducted.", fault);
}

fn assignment_error(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::Status(FaultResponse::error(500, "PromotionAssignmentError")));
    completes_once_despite(runner, "Engage will answer PromotionAssignmentError to the purchase.", fault);
}

fn too_many_requests(runner: &mut Runner<'_>) {
    const REQUEST_LIMIT: usize = 5;
    runner.arm(
        "Engage will answer 429 to every purchase.",
        on_purchase(Effect::Status(FaultResponse::status(429))).times(0),
    );
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Pending, NotSent], "Engage turned it away: it is pending, or not sent");
    let requests = runner.requests_for(COFFEE);
    if requests > REQUEST_LIMIT {
        runner.fail(&format!("one press made {requests} purchase requests: all tills share the key's budget"));
    }
    runner.clear_faults();
    resolves_completed_once(runner);
}

fn redirect(runner: &mut Runner<'_>) {
    let other = Sandbox::builder().requests_per_second(None).start();
    let location = format!("{}/api/v3/point-shop-items/purchase", other.http_url());
    let answer = FaultResponse { headers: [("location".to_owned(), location)].into(), ..FaultResponse::status(307) };
    let fault = on_purchase(Effect::Status(answer));
    completes_once_despite(runner, "The purchase will be redirected to another server.", fault);
    if !other.requests().is_empty() {
        runner.fail("the till followed the redirect, with the API key, to a server that is not Engage");
    }
}

fn offline_start(runner: &mut Runner<'_>) {
    if let Err(error) = runner.add_network() {
        return runner.fail(&format!("no network could be made: {error}"));
    }
    runner.cut_network();
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[NotSent, Pending], "nothing was sent");
    runner.restore_network();
    resolves_completed_once(runner);
}

fn network_cut(runner: &mut Runner<'_>) {
    if let Err(error) = runner.add_network() {
        return runner.fail(&format!("no network could be made: {error}"));
    }
    runner.arm("The answer to the purchase will not come.", on_purchase(Effect::StallAfterCommit));
    let reported = runner.press_and_cut(COFFEE);
    runner.expect(reported, &[Pending], MAY_BE_DEDUCTED);
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Pending, NotSent], "there is no network");
    runner.clear_faults();
    runner.restore_network();
    resolves_completed_once(runner);
}

fn wrong_authority(runner: &mut Runner<'_>) {
    let other = Sandbox::builder().start();
    other.ca_file().clone_into(&mut runner.ca);
    runner.note("The till trusts another authority.");
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[NotSent, Other(1)], "the server is not to be trusted: nothing is sent");
    if !runner.sandbox.requests().is_empty() {
        runner.fail("the till sent the API key to a server whose certificate it cannot trust");
    }
    runner.expect_deducted(&[(COFFEE, 0)]);
}

fn wrong_key(runner: &mut Runner<'_>) {
    let right = std::mem::replace(&mut runner.key, "another-key".to_owned());
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Declined, NotSent, Other(1)], "Engage answered 401: nothing was deducted");
    runner.expect_deducted(&[(COFFEE, 0)]);
    runner.note("The key is put right.");
    runner.key = right;
    // The new receipt is a new sale: a declined operation stays declined.
    let next = Sale { reference: "receipt 4712", ..COFFEE };
    runner.resolve(next, Completed);
    runner.expect_deducted(&[(next, 1)]);
}

fn wrong_clock(runner: &mut Runner<'_>) {
    runner.sandbox.set_clock_offset(-3 * 24 * 60 * 60 * 1000);
    let fault = on_purchase(Effect::CloseAfterCommit);
    completes_once_despite(runner, "Engage's clock is three days behind, and the answer will be lost.", fault);
}

fn power_cut_before(runner: &mut Runner<'_>) {
    runner.arm("Engage does not answer.", Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    runner.press_and_kill(COFFEE, "at the till's first request", |_| true);
    runner.clear_faults();
    resolves_completed_once(runner);
}

fn power_cut_sent(runner: &mut Runner<'_>) {
    runner.arm("Engage will not process the purchase.", on_purchase(Effect::StallBeforeCommit));
    runner.press_and_kill(COFFEE, "when the purchase has reached Engage", is_purchase);
    runner.clear_faults();
    resolves_completed_once(runner);
}

fn power_cut_due(runner: &mut Runner<'_>) {
    runner.arm("The answer to the purchase will not come.", on_purchase(Effect::StallAfterCommit));
    runner.press_and_kill(COFFEE, "when the points are deducted", is_purchase);
    runner.clear_faults();
    resolves_completed_once(runner);
}

fn power_cut_late(runner: &mut Runner<'_>) {
    const LATE: Duration = Duration::from_secs(4);
    runner.arm("Engage will take 4 s to see the purchase.", on_purchase(Effect::Delay { ms: 4000 }));
    runner.press_and_kill(COFFEE, "when the purchase has reached Engage", is_purchase);
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Completed, Pending], MAY_BE_DEDUCTED);
    runner.wait_for(LATE);
    resolves_completed_once(runner);
}

fn power_cut_twice(runner: &mut Runner<'_>) {
    runner.arm("The answer to the purchase will not come.", on_purchase(Effect::StallAfterCommit));
    runner.press_and_kill(COFFEE, "when the points are deducted", is_purchase);
    runner.clear_faults();
    runner.arm("Engage does not answer.", Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    runner.press_and_kill(COFFEE, "at the first request after the restart", |_| true);
    runner.clear_faults();
    resolves_completed_once(runner);
}

fn queue_goes_on(runner: &mut Runner<'_>) {
    let next = Sale { reference: "receipt 4712", contact: demo::LOAD, item: demo::TOTE_BAG };
    runner.arm(
        "The answer to the purchase will not come.",
        on_purchase(Effect::StallAfterCommit).contact(COFFEE.contact).times(0),
    );
    runner.arm(
        "Engage does not tell the member's purchases.",
        Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).contact(COFFEE.contact).times(0),
    );
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Pending], MAY_BE_DEDUCTED);
    let reported = runner.press(next);
    runner.expect(reported, &[Completed], "the next customer's purchase has nothing to do with it: it is bought");
    runner.clear_faults();
    runner.resolve(COFFEE, Completed);
    runner.expect_deducted(&[(COFFEE, 1), (next, 1)]);
}

/// A till that does not redeem passes this scenario as a normal sale.
fn redeem_unanswered(runner: &mut Runner<'_>) {
    let fault = Fault::on(Operation::Redeem, Effect::StallAfterCommit);
    completes_once_despite(runner, "The answer to a use of the reward will not come.", fault);
}

/// A purchase without a durable record would be lost in a power cut.
fn journal_unwritable(runner: &mut Runner<'_>) {
    if !runner.requires("{journal}") {
        return;
    }
    let file = runner.file("a-file");
    if let Err(error) = std::fs::write(&file, "not a folder") {
        return runner.fail(&error.to_string());
    }
    let usable = std::mem::replace(&mut runner.journal, file.join("journal.db"));
    runner.note("The journal's folder does not exist.");
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[NotSent, Other(1)], "it cannot be written down: nothing is sent");
    if runner.requests_for(COFFEE) > 0 {
        runner.fail("the purchase was sent, and the till could not write it down: a power cut would lose it");
    }
    runner.note("The journal can be written.");
    runner.journal = usable;
    resolves_completed_once(runner);
}
