//! The scenarios: what is done to the till, and what it must say and the ledger must hold.
//! A till passes if the cashier is never told what is not so, and if every sale is deducted exactly as often as it was sold.

use std::time::Duration;

use uuid::Uuid;

use super::stage::{Sale, Stage, is_purchase};
use super::till::Said;
use crate::seed::demo;
use crate::store::{Behaviour, Ending, Item, Meanwhile};
use crate::{Answer, Effect, Fault, Operation, Sandbox};

pub(super) struct Scenario {
    pub name: &'static str,
    /// A sentence for a retailer.
    pub title: &'static str,
    pub play: fn(&mut Stage<'_>),
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "sale", title: "A member buys a reward", play: sale },
    Scenario { name: "second-press", title: "The same sale is pressed again: it is bought once", play: second_press },
    Scenario { name: "two-presses-at-once", title: "The cashier presses twice at the same moment", play: at_once },
    Scenario {
        name: "two-sales",
        title: "The member buys the same reward on another receipt: that is another purchase",
        play: two_sales,
    },
    Scenario { name: "not-enough-points", title: "The member has not enough points", play: not_enough_points },
    Scenario { name: "promotion-removed", title: "The reward's promotion was removed", play: promotion_removed },
    Scenario { name: "purchase-failed", title: "Engage says that the purchase failed", play: purchase_failed },
    Scenario { name: "processing", title: "Engage is still processing, and completes later", play: processing },
    Scenario {
        name: "processing-timed-out",
        title: "Engage gives up waiting for itself, and completes later",
        play: processing_timed_out,
    },
    Scenario { name: "processing-fails", title: "Engage is still processing, and fails later", play: processing_fails },
    Scenario { name: "answer-lost", title: "The points are deducted and the answer is lost", play: answer_lost },
    Scenario {
        name: "answer-cut",
        title: "The points are deducted and the answer breaks off in the middle",
        play: answer_cut,
    },
    Scenario {
        name: "answer-never-comes",
        title: "The points are deducted and the connection stays silent",
        play: answer_never_comes,
    },
    Scenario { name: "slow-answer", title: "The answer comes after the cashier's wait", play: slow_answer },
    Scenario {
        name: "request-lost",
        title: "The connection breaks before Engage has processed the purchase",
        play: request_lost,
    },
    Scenario { name: "web-page", title: "A web filter answers with a page in Engage's place", play: web_page },
    Scenario {
        name: "web-page-after-deduction",
        title: "The points are deducted, and a proxy answers with a page",
        play: web_page_after,
    },
    Scenario { name: "server-error", title: "Engage fails with an internal error, once", play: server_error },
    Scenario {
        name: "gateway-timeout",
        title: "The points are deducted, and a gateway says that time is out",
        play: gateway_timeout,
    },
    Scenario { name: "assignment-error", title: "Engage fails to assign the reward, once", play: assignment_error },
    Scenario { name: "too-many-requests", title: "Engage turns the till away for a while", play: too_many_requests },
    Scenario { name: "redirect", title: "A captive portal redirects the purchase to another server", play: redirect },
    Scenario { name: "offline-start", title: "The till starts without a network", play: offline_start },
    Scenario {
        name: "network-cut",
        title: "The network goes away during the purchase and stays away",
        play: network_cut,
    },
    Scenario {
        name: "wrong-authority",
        title: "The server's certificate is from an authority that is not trusted",
        play: wrong_authority,
    },
    Scenario { name: "wrong-key", title: "The API key is wrong", play: wrong_key },
    Scenario {
        name: "wrong-clock",
        title: "Engage's clock is three days behind, and the answer is lost",
        play: wrong_clock,
    },
    Scenario {
        name: "power-cut-before-sending",
        title: "The power is cut before the purchase is sent",
        play: power_cut_before,
    },
    Scenario {
        name: "power-cut-request-sent",
        title: "The power is cut when the request has reached Engage, which never processes it",
        play: power_cut_sent,
    },
    Scenario {
        name: "power-cut-answer-due",
        title: "The power is cut when the points are deducted and the answer is due",
        play: power_cut_due,
    },
    Scenario {
        name: "power-cut-late-deduction",
        title: "The power is cut, and Engage deducts only when the till is back",
        play: power_cut_late,
    },
    Scenario {
        name: "power-cut-twice",
        title: "The power is cut, and again during the restart",
        play: power_cut_twice,
    },
    Scenario {
        name: "queue-goes-on",
        title: "One sale is not settled, and the next customer is served",
        play: queue_goes_on,
    },
    Scenario {
        name: "redeem-unanswered",
        title: "The reward is used, and no answer comes: the purchase is told all the same",
        play: redeem_unanswered,
    },
    Scenario { name: "journal-unwritable", title: "The till cannot write its journal", play: journal_unwritable },
];

use Said::{Bought, Declined, NotSent, Other, Pending};

/// A sale of a coffee for 100 points to a member who has them.
const COFFEE: Sale = Sale { reference: "receipt 4711", contact: demo::ASTRID, item: demo::COFFEE };

fn of(item: Uuid) -> Sale {
    Sale { item, ..COFFEE }
}

fn on_purchase(effect: Effect) -> Fault {
    Fault::on(Operation::Purchase, effect)
}

const MAY_BE_DEDUCTED: &str = "the purchase may have been made: it is bought or pending";

/// A sale under a fault that ends by itself, and is settled to be bought once.
fn bought_once_in_spite_of(stage: &mut Stage<'_>, what: &str, fault: Fault) {
    stage.arm(what, fault);
    let said = stage.press(COFFEE);
    stage.expect(said, &[Bought, Pending], MAY_BE_DEDUCTED);
    stage.lift();
    settled_once(stage);
}

fn settled_once(stage: &mut Stage<'_>) {
    stage.settle(COFFEE, Bought);
    stage.expect_deducted(&[(COFFEE, 1)]);
}

fn refused(stage: &mut Stage<'_>, sale: Sale) {
    let said = stage.press(sale);
    stage.expect(said, &[Declined], "Engage refused it: it is refused, and nothing else");
    stage.expect_deducted(&[(sale, 0)]);
}

fn sale(stage: &mut Stage<'_>) {
    let said = stage.press(COFFEE);
    stage.expect(said, &[Bought], "nothing went wrong: it is bought");
    stage.expect_deducted(&[(COFFEE, 1)]);
}

fn second_press(stage: &mut Stage<'_>) {
    for _ in 0..2 {
        let said = stage.press(COFFEE);
        stage.expect(said, &[Bought], "nothing went wrong: it is bought");
    }
    stage.expect_deducted(&[(COFFEE, 1)]);
}

fn at_once(stage: &mut Stage<'_>) {
    for said in stage.press_twice(COFFEE) {
        stage.expect(said, &[Bought, Pending], MAY_BE_DEDUCTED);
    }
    settled_once(stage);
}

fn two_sales(stage: &mut Stage<'_>) {
    for reference in ["receipt 4711", "receipt 4712"] {
        let said = stage.press(Sale { reference, ..COFFEE });
        stage.expect(said, &[Bought], "nothing went wrong: it is bought");
    }
    stage.expect_deducted(&[(COFFEE, 2)]);
}

fn not_enough_points(stage: &mut Stage<'_>) {
    refused(stage, Sale { contact: demo::BJORN, ..of(demo::TOTE_BAG) });
}

fn promotion_removed(stage: &mut Stage<'_>) {
    refused(stage, of(demo::PROMOTION_REMOVED));
}

fn purchase_failed(stage: &mut Stage<'_>) {
    refused(stage, of(demo::FAILS));
}

/// An item whose purchase takes longer than a till will wait.
fn slow_item(stage: &mut Stage<'_>, answer: Meanwhile, ends: Ending) -> Sale {
    let for_ms = u32::try_from(stage.wait().as_millis()).unwrap_or(u32::MAX).saturating_add(1000);
    let item = Item { behaviour: Behaviour::Processing { for_ms, answer, ends }, ..Item::new("Cinema ticket", 100) };
    let sale = of(item.id);
    if let Err(invalid) = stage.sandbox.add_item(item) {
        stage.fail(&invalid.to_string());
    }
    stage.note(&format!("Engage takes {:.1} s to process the purchase.", f64::from(for_ms) / 1000.0));
    sale
}

fn slow_purchase(stage: &mut Stage<'_>, answer: Meanwhile, ends: Ending, end: Said) {
    let sale = slow_item(stage, answer, ends);
    let said = stage.press(sale);
    stage.expect(said, &[end, Pending], "Engage has not decided: it is pending");
    stage.settle(sale, end);
    stage.expect_deducted(&[(sale, usize::from(end == Bought))]);
}

fn processing(stage: &mut Stage<'_>) {
    slow_purchase(stage, Meanwhile::Processing, Ending::Completed, Bought);
}

fn processing_timed_out(stage: &mut Stage<'_>) {
    slow_purchase(stage, Meanwhile::TimedOut, Ending::Completed, Bought);
}

fn processing_fails(stage: &mut Stage<'_>) {
    slow_purchase(stage, Meanwhile::Processing, Ending::Failed, Declined);
}

fn answer_lost(stage: &mut Stage<'_>) {
    let fault = on_purchase(Effect::CloseAfterCommit);
    bought_once_in_spite_of(stage, "The answer to the purchase will be lost.", fault);
}

fn answer_cut(stage: &mut Stage<'_>) {
    let fault = on_purchase(Effect::Truncate { bytes: 200 });
    bought_once_in_spite_of(stage, "The answer to the purchase will break off after 200 bytes.", fault);
}

fn answer_never_comes(stage: &mut Stage<'_>) {
    let fault = on_purchase(Effect::StallAfterCommit);
    bought_once_in_spite_of(stage, "The answer to the purchase will not come, and the connection stays open.", fault);
}

fn slow_answer(stage: &mut Stage<'_>) {
    let late = stage.wait() + Duration::from_secs(2);
    let fault = on_purchase(Effect::Delay { ms: u32::try_from(late.as_millis()).unwrap_or(u32::MAX) });
    stage.arm(&format!("Engage will take {:.1} s to see the purchase.", late.as_secs_f64()), fault);
    let said = stage.press(COFFEE);
    stage.expect(said, &[Bought, Pending], MAY_BE_DEDUCTED);
    stage.let_pass(late);
    settled_once(stage);
}

fn request_lost(stage: &mut Stage<'_>) {
    let fault = on_purchase(Effect::ResetBeforeCommit);
    bought_once_in_spite_of(stage, "The connection will be reset when the purchase arrives.", fault);
}

fn web_page(stage: &mut Stage<'_>) {
    let fault = on_purchase(Effect::Html);
    bought_once_in_spite_of(stage, "A web filter will answer the purchase with a page and status 200.", fault);
}

fn web_page_after(stage: &mut Stage<'_>) {
    let page = Answer {
        content_type: Some("text/html".to_owned()),
        body: Some("<html><body>The proxy is busy</body></html>".to_owned()),
        ..Answer::status(200)
    };
    let fault = on_purchase(Effect::StatusAfterCommit(page));
    bought_once_in_spite_of(stage, "A proxy will answer with a page once the points are deducted.", fault);
}

fn server_error(stage: &mut Stage<'_>) {
    let answer = Answer {
        content_type: Some("text/plain".to_owned()),
        body: Some("An error has occurred".to_owned()),
        ..Answer::status(500)
    };
    bought_once_in_spite_of(stage, "Engage will answer 500 to the purchase.", on_purchase(Effect::Status(answer)));
}

fn gateway_timeout(stage: &mut Stage<'_>) {
    let fault = on_purchase(Effect::StatusAfterCommit(Answer::status(504)));
    bought_once_in_spite_of(stage, "A gateway will answer 504 once the points are deducted.", fault);
}

fn assignment_error(stage: &mut Stage<'_>) {
    let fault = on_purchase(Effect::Status(Answer::error(500, "PromotionAssignmentError")));
    bought_once_in_spite_of(stage, "Engage will answer PromotionAssignmentError to the purchase.", fault);
}

fn too_many_requests(stage: &mut Stage<'_>) {
    const PATIENT: usize = 5;
    stage.arm("Engage will answer 429 to every purchase.", on_purchase(Effect::Status(Answer::status(429))).times(0));
    let said = stage.press(COFFEE);
    stage.expect(said, &[Pending, NotSent], "Engage turned it away: it is pending, or not sent");
    let requests = stage.requests_for(COFFEE);
    if requests > PATIENT {
        stage.fail(&format!("one press made {requests} purchase requests: all tills share the key's budget"));
    }
    stage.lift();
    settled_once(stage);
}

fn redirect(stage: &mut Stage<'_>) {
    let other = Sandbox::builder().requests_per_second(None).start();
    let location = format!("{}/api/v3/point-shop-items/purchase", other.http_url());
    let answer = Answer { headers: [("location".to_owned(), location)].into(), ..Answer::status(307) };
    let fault = on_purchase(Effect::Status(answer));
    bought_once_in_spite_of(stage, "The purchase will be redirected to another server.", fault);
    if !other.requests().is_empty() {
        stage.fail("the till followed the redirect, with the API key, to a server that is not Engage");
    }
}

fn offline_start(stage: &mut Stage<'_>) {
    if let Err(error) = stage.lay_network() {
        return stage.fail(&format!("no network could be made: {error}"));
    }
    stage.cut_network();
    let said = stage.press(COFFEE);
    stage.expect(said, &[NotSent, Pending], "nothing was sent");
    stage.mend_network();
    settled_once(stage);
}

fn network_cut(stage: &mut Stage<'_>) {
    if let Err(error) = stage.lay_network() {
        return stage.fail(&format!("no network could be made: {error}"));
    }
    stage.arm("The answer to the purchase will not come.", on_purchase(Effect::StallAfterCommit));
    let said = stage.press_and_cut(COFFEE);
    stage.expect(said, &[Pending], MAY_BE_DEDUCTED);
    let said = stage.press(COFFEE);
    stage.expect(said, &[Pending, NotSent], "there is no network");
    stage.lift();
    stage.mend_network();
    settled_once(stage);
}

fn wrong_authority(stage: &mut Stage<'_>) {
    let other = Sandbox::builder().start();
    other.ca_file().clone_into(&mut stage.ca);
    stage.note("The till trusts another authority.");
    let said = stage.press(COFFEE);
    stage.expect(said, &[NotSent, Other(1)], "the server is not to be trusted: nothing is sent");
    if !stage.sandbox.requests().is_empty() {
        stage.fail("the till sent the API key to a server whose certificate it cannot trust");
    }
    stage.expect_deducted(&[(COFFEE, 0)]);
}

fn wrong_key(stage: &mut Stage<'_>) {
    let right = std::mem::replace(&mut stage.key, "another-key".to_owned());
    let said = stage.press(COFFEE);
    stage.expect(said, &[Declined, NotSent, Other(1)], "Engage answered 401: nothing was deducted");
    stage.expect_deducted(&[(COFFEE, 0)]);
    stage.note("The key is put right.");
    stage.key = right;
    // On a new receipt: what was refused stays refused.
    let next = Sale { reference: "receipt 4712", ..COFFEE };
    stage.settle(next, Bought);
    stage.expect_deducted(&[(next, 1)]);
}

fn wrong_clock(stage: &mut Stage<'_>) {
    stage.sandbox.set_clock_offset(-3 * 24 * 60 * 60 * 1000);
    let fault = on_purchase(Effect::CloseAfterCommit);
    bought_once_in_spite_of(stage, "Engage's clock is three days behind, and the answer will be lost.", fault);
}

fn power_cut_before(stage: &mut Stage<'_>) {
    stage.arm("Engage does not answer.", Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    stage.press_and_kill(COFFEE, "at the till's first request", |_| true);
    stage.lift();
    settled_once(stage);
}

fn power_cut_sent(stage: &mut Stage<'_>) {
    stage.arm("Engage will not process the purchase.", on_purchase(Effect::StallBeforeCommit));
    stage.press_and_kill(COFFEE, "when the purchase has reached Engage", is_purchase);
    stage.lift();
    settled_once(stage);
}

fn power_cut_due(stage: &mut Stage<'_>) {
    stage.arm("The answer to the purchase will not come.", on_purchase(Effect::StallAfterCommit));
    stage.press_and_kill(COFFEE, "when the points are deducted", is_purchase);
    stage.lift();
    settled_once(stage);
}

fn power_cut_late(stage: &mut Stage<'_>) {
    const LATE: Duration = Duration::from_secs(4);
    stage.arm("Engage will take 4 s to see the purchase.", on_purchase(Effect::Delay { ms: 4000 }));
    stage.press_and_kill(COFFEE, "when the purchase has reached Engage", is_purchase);
    let said = stage.press(COFFEE);
    stage.expect(said, &[Bought, Pending], MAY_BE_DEDUCTED);
    stage.let_pass(LATE);
    settled_once(stage);
}

fn power_cut_twice(stage: &mut Stage<'_>) {
    stage.arm("The answer to the purchase will not come.", on_purchase(Effect::StallAfterCommit));
    stage.press_and_kill(COFFEE, "when the points are deducted", is_purchase);
    stage.lift();
    stage.arm("Engage does not answer.", Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    stage.press_and_kill(COFFEE, "at the first request after the restart", |_| true);
    stage.lift();
    settled_once(stage);
}

fn queue_goes_on(stage: &mut Stage<'_>) {
    let next = Sale { reference: "receipt 4712", contact: demo::LOAD, item: demo::TOTE_BAG };
    stage.arm(
        "The answer to the purchase will not come.",
        on_purchase(Effect::StallAfterCommit).contact(COFFEE.contact).times(0),
    );
    stage.arm(
        "Engage does not tell the member's purchases.",
        Fault::on(Operation::Purchases, Effect::Status(Answer::status(503))).contact(COFFEE.contact).times(0),
    );
    let said = stage.press(COFFEE);
    stage.expect(said, &[Pending], MAY_BE_DEDUCTED);
    let said = stage.press(next);
    stage.expect(said, &[Bought], "the next customer's purchase has nothing to do with it: it is bought");
    stage.lift();
    stage.settle(COFFEE, Bought);
    stage.expect_deducted(&[(COFFEE, 1), (next, 1)]);
}

/// For a till that does not redeem it is a sale like any other.
fn redeem_unanswered(stage: &mut Stage<'_>) {
    let fault = Fault::on(Operation::Redeem, Effect::StallAfterCommit);
    bought_once_in_spite_of(stage, "The answer to a use of the reward will not come.", fault);
}

/// What is not written down before it is sent is lost in a power cut.
fn journal_unwritable(stage: &mut Stage<'_>) {
    if !stage.needs("{journal}") {
        return;
    }
    let file = stage.file("a-file");
    if let Err(error) = std::fs::write(&file, "not a folder") {
        return stage.fail(&error.to_string());
    }
    let usable = std::mem::replace(&mut stage.journal, file.join("journal.db"));
    stage.note("The journal's folder does not exist.");
    let said = stage.press(COFFEE);
    stage.expect(said, &[NotSent, Other(1)], "it cannot be written down: nothing is sent");
    if stage.requests_for(COFFEE) > 0 {
        stage.fail("the purchase was sent, and the till could not write it down: a power cut would lose it");
    }
    stage.note("The journal can be written.");
    stage.journal = usable;
    settled_once(stage);
}
