//! The scenarios: the faults, the allowed outcomes and the expected deductions.
//! A till passes if it reports only correct outcomes to the cashier, and if each completed sale is
//! deducted exactly once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::cost::Cost;
use super::runner::{Runner, Sale, is_purchase};
use super::till::ReportedOutcome;
use crate::ledger::{Behaviour, Ending, Item, ProcessingResponse};
use crate::seed::demo;
use crate::{Effect, Fault, FaultResponse, Member, MemberDeparture, Operation, World};

pub(super) struct Scenario {
    /// The cost of a failure.
    pub cost: Cost,
    pub name: &'static str,
    /// One sentence for a retailer. The part before a colon is the situation.
    pub title: &'static str,
    pub run: fn(&mut Runner<'_>),
}

const fn scenario(cost: Cost, name: &'static str, title: &'static str, run: fn(&mut Runner<'_>)) -> Scenario {
    Scenario { cost, name, title, run }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario(Cost::False, "sale", "A member buys a reward", sale),
    scenario(Cost::Twice, "second-press", "The cashier presses again for the same sale: one purchase", second_press),
    scenario(Cost::Twice, "two-presses-at-once", "The cashier presses twice at the same time", at_once),
    scenario(
        Cost::False,
        "two-sales",
        "The member buys the same reward on another receipt: another purchase",
        two_sales,
    ),
    scenario(Cost::False, "not-enough-points", "The member has not enough points", not_enough_points),
    scenario(Cost::False, "promotion-removed", "The reward's promotion was removed", promotion_removed),
    scenario(Cost::False, "purchase-failed", "Engage reports that the purchase failed", purchase_failed),
    scenario(Cost::Lost, "processing", "Engage is still processing, and completes later", processing),
    scenario(
        Cost::Twice,
        "processing-timed-out",
        "Engage reports a processing timeout, and completes later",
        processing_timed_out,
    ),
    scenario(Cost::False, "processing-fails", "Engage is still processing, and fails later", processing_fails),
    scenario(Cost::Lost, "response-lost", "The points are deducted and the response is lost", response_lost),
    scenario(
        Cost::Lost,
        "response-truncated",
        "The points are deducted and the response is truncated",
        response_truncated,
    ),
    scenario(Cost::Lost, "no-response", "The points are deducted and no response arrives", no_response),
    scenario(Cost::Twice, "late-response", "The response arrives after the cashier's wait", late_response),
    scenario(Cost::Lost, "request-lost", "The connection is reset before Engage processes the purchase", request_lost),
    scenario(Cost::False, "web-page", "A web filter returns a page in place of Engage's response", web_page),
    scenario(
        Cost::False,
        "web-page-after-deduction",
        "The points are deducted, and a proxy returns a page",
        web_page_after,
    ),
    scenario(Cost::Lost, "server-error", "Engage fails with an internal error", server_error),
    scenario(
        Cost::Lost,
        "gateway-timeout",
        "The points are deducted, and a gateway reports a timeout",
        gateway_timeout,
    ),
    scenario(Cost::Twice, "assignment-error", "Engage fails to assign the reward", assignment_error),
    scenario(Cost::Queue, "too-many-requests", "Engage rejects the till's requests for a while", too_many_requests),
    scenario(Cost::Key, "redirect", "A captive portal redirects the purchase to another server", redirect),
    scenario(Cost::False, "offline-start", "The till starts without a network", offline_start),
    scenario(Cost::Lost, "network-cut", "The network fails during the purchase, and for longer", network_cut),
    scenario(
        Cost::Key,
        "wrong-authority",
        "The server's certificate is not signed by the till's root certificate",
        wrong_authority,
    ),
    scenario(Cost::False, "wrong-key", "The API key is wrong", wrong_key),
    scenario(Cost::Lost, "wrong-clock", "Engage's clock is three days behind, and the response is lost", wrong_clock),
    scenario(Cost::Twice, "power-cut-before-sending", "The power is cut before the purchase is sent", power_cut_before),
    scenario(
        Cost::Lost,
        "power-cut-request-sent",
        "The power is cut after the request has reached Engage, and Engage never processes it",
        power_cut_sent,
    ),
    scenario(
        Cost::Lost,
        "power-cut-response-due",
        "The power is cut after the deduction and before the response",
        power_cut_due,
    ),
    scenario(
        Cost::Lost,
        "power-cut-late-deduction",
        "The power is cut, and Engage deducts after the till's restart",
        power_cut_late,
    ),
    scenario(Cost::Lost, "power-cut-twice", "The power is cut, and again during the restart", power_cut_twice),
    scenario(Cost::Queue, "queue-goes-on", "One sale is pending, and the next customer is served", queue_goes_on),
    scenario(
        Cost::Queue,
        "redeem-no-response",
        "The reward is redeemed without a response: the purchase is still reported",
        redeem_no_response,
    ),
    scenario(
        Cost::False,
        "gateway-not-found",
        "The points are deducted, and a gateway knows no such address",
        gateway_not_found,
    ),
    scenario(
        Cost::False,
        "code-elsewhere",
        "The points are deducted, and the error code stands in another field",
        code_elsewhere,
    ),
    scenario(
        Cost::False,
        "unknown-rejection",
        "The points are deducted, and the response is a rejection without a code",
        unknown_rejection,
    ),
    scenario(Cost::False, "key-rejected", "The points are deducted, and a gateway rejects the key", key_rejected),
    scenario(
        Cost::Lost,
        "late-history",
        "The response is lost, and the purchase is in the history much later",
        late_history,
    ),
    scenario(Cost::Lost, "paged-history", "The response is lost, and the history is a page", paged_history),
    scenario(
        Cost::False,
        "repeat-declined",
        "The response is lost, and the repeat is declined: the points are spent already",
        repeat_declined,
    ),
    scenario(
        Cost::Twice,
        "member-merged",
        "The sale is pending, and the member gets another id: the receipt is not bought again",
        member_merged,
    ),
    scenario(Cost::False, "member-erased", "The sale is pending, and the member is erased", member_erased),
    scenario(Cost::Twice, "two-tills-one-journal", "Two tills share a journal", two_tills),
    scenario(
        Cost::Twice,
        "journal-copied",
        "The journal is copied while a sale is pending, and both are used",
        journal_copied,
    ),
    scenario(Cost::Twice, "journal-cut", "The journal loses its second half", journal_cut),
    scenario(Cost::Lost, "journal-unwritable", "The till cannot write its journal", journal_unwritable),
    scenario(
        Cost::Twice,
        "receipt-of-another-member",
        "The receipt's number is used again for another member: another purchase",
        receipt_of_another_member,
    ),
    scenario(
        Cost::Twice,
        "pending-for-days",
        "The sale is pending for three days, and the till was off",
        pending_for_days,
    ),
    scenario(
        Cost::Twice,
        "journal-of-another-tenant",
        "The journal has a pending sale of another tenant",
        journal_of_another_tenant,
    ),
    scenario(
        Cost::Lost,
        "completed-later-is-shown",
        "A pending sale completes later: the cashier learns of it",
        completed_later,
    ),
    scenario(
        Cost::Lost,
        "declined-later-is-shown",
        "A pending sale is declined later: the cashier learns of it",
        declined_later,
    ),
    scenario(
        Cost::False,
        "acknowledged-is-not-shown",
        "The outcome of a sale was shown already: it is not shown again",
        acknowledged_not_shown,
    ),
];

use ReportedOutcome::{Completed, Declined, NotSent, Other, Pending};

/// A sale of a coffee for 100 points to a member with enough points.
pub(super) const COFFEE: Sale = Sale { reference: "receipt 4711", contact: demo::ASTRID, item: demo::COFFEE };

fn of(item: Uuid) -> Sale {
    Sale { item, ..COFFEE }
}

fn on_purchase(effect: Effect) -> Fault {
    Fault::on(Operation::Purchase, effect)
}

const MAY_BE_DEDUCTED: &str = "the purchase is in doubt: only completed or pending is correct";

/// Runs a sale under a fault that lasts for the whole press. Then the faults end and other
/// customers are served: the till must find out by itself that the sale is completed, with one
/// deduction.
fn completes_once_despite(runner: &mut Runner<'_>, what: &str, fault: Fault) {
    runner.arm(what, fault.times(0));
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Completed, Pending], MAY_BE_DEDUCTED);
    runner.clear_faults();
    is_completed_once(runner, COFFEE, reported);
}

/// Expects that a sale is completed with one deduction. `reported` is what the cashier knows: a
/// pending sale is not pressed again, and one that was not sent is.
fn is_completed_once(runner: &mut Runner<'_>, sale: Sale, reported: ReportedOutcome) {
    match reported {
        Completed => {}
        NotSent => runner.resolve(sale, Completed),
        _ => runner.serve_others_until_resolved(sale, Completed),
    }
    runner.expect_deducted(&[(sale, 1)]);
}

/// The same after a power cut: nobody knows what became of the sale.
fn is_found_completed_once(runner: &mut Runner<'_>) {
    is_completed_once(runner, COFFEE, Pending);
}

fn declined(runner: &mut Runner<'_>, sale: Sale) {
    let reported = runner.press(sale);
    runner.expect(reported, &[Declined], "Engage declined it: only declined is correct");
    runner.expect_deducted(&[(sale, 0)]);
}

fn sale(runner: &mut Runner<'_>) {
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Completed], "nothing failed: only completed is correct");
    runner.expect_deducted(&[(COFFEE, 1)]);
}

fn second_press(runner: &mut Runner<'_>) {
    for _ in 0..2 {
        let reported = runner.press(COFFEE);
        runner.expect(reported, &[Completed], "nothing failed: only completed is correct");
    }
    runner.expect_deducted(&[(COFFEE, 1)]);
}

fn at_once(runner: &mut Runner<'_>) {
    for reported in runner.press_at_once([COFFEE; 2], [0, 0]) {
        runner.expect(reported, &[Completed, Pending], MAY_BE_DEDUCTED);
    }
    // The cashier presses again.
    runner.resolve(COFFEE, Completed);
    runner.expect_deducted(&[(COFFEE, 1)]);
}

fn two_sales(runner: &mut Runner<'_>) {
    for reference in ["receipt 4711", "receipt 4712"] {
        let reported = runner.press(Sale { reference, ..COFFEE });
        runner.expect(reported, &[Completed], "nothing failed: only completed is correct");
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
fn slow_item(runner: &mut Runner<'_>, response: ProcessingResponse, ends: Ending) -> (Sale, Duration) {
    let for_ms = u32::try_from(runner.wait().as_millis()).unwrap_or(u32::MAX).saturating_add(1000);
    let item = Item { behaviour: Behaviour::Processing { for_ms, response, ends }, ..Item::new("Cinema ticket", 100) };
    let sale = of(item.id);
    if let Err(invalid) = runner.sandbox.add_item(item) {
        runner.cannot(&invalid);
    }
    runner.note(&format!("Engage takes {:.1} s to process the purchase.", f64::from(for_ms) / 1000.0));
    (sale, Duration::from_millis(for_ms.into()))
}

fn slow_purchase(runner: &mut Runner<'_>, response: ProcessingResponse, ends: Ending, end: ReportedOutcome) {
    let (sale, takes) = slow_item(runner, response, ends);
    let reported = runner.press(sale);
    runner.expect(reported, &[end, Pending], "Engage is processing: only pending is correct");
    if reported != end {
        runner.wait_for(takes);
        runner.serve_others_until_resolved(sale, end);
    }
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

fn response_lost(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::CloseAfterCommit);
    completes_once_despite(runner, "The response to the purchase will be lost.", fault);
}

fn response_truncated(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::Truncate { bytes: 200 });
    completes_once_despite(runner, "The response to the purchase will end after 200 bytes.", fault);
}

fn no_response(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::StallAfterCommit);
    completes_once_despite(runner, "No response to the purchase will arrive, and the connection stays open.", fault);
}

fn late_response(runner: &mut Runner<'_>) {
    let late = runner.wait() + Duration::from_secs(2);
    let fault = on_purchase(Effect::Delay { ms: u32::try_from(late.as_millis()).unwrap_or(u32::MAX) });
    runner.arm(&format!("Engage will process the purchase {:.1} s late.", late.as_secs_f64()), fault);
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Completed, Pending], MAY_BE_DEDUCTED);
    runner.wait_for(late);
    is_completed_once(runner, COFFEE, reported);
}

fn request_lost(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::ResetBeforeCommit);
    completes_once_despite(runner, "The connection will be reset when the purchase arrives.", fault);
}

fn web_page(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::Html);
    completes_once_despite(runner, "A web filter will return a page with status 200.", fault);
}

fn web_page_after(runner: &mut Runner<'_>) {
    let page = FaultResponse {
        content_type: Some("text/html".to_owned()),
        body: Some("<html><body>The proxy is busy</body></html>".to_owned()),
        ..FaultResponse::status(200)
    };
    let fault = on_purchase(Effect::StatusAfterCommit(page));
    completes_once_despite(runner, "A proxy will return a page after the deduction.", fault);
}

fn server_error(runner: &mut Runner<'_>) {
    let response = FaultResponse {
        content_type: Some("text/plain".to_owned()),
        body: Some("An error has occurred".to_owned()),
        ..FaultResponse::status(500)
    };
    completes_once_despite(runner, "Engage will return 500 for the purchase.", on_purchase(Effect::Status(response)));
}

fn gateway_timeout(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::StatusAfterCommit(FaultResponse::status(504)));
    completes_once_despite(runner, "A gateway will return 504 after the deduction.", fault);
}

fn assignment_error(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::Status(FaultResponse::error(500, "PromotionAssignmentError")));
    completes_once_despite(runner, "Engage will return PromotionAssignmentError for the purchase.", fault);
}

fn too_many_requests(runner: &mut Runner<'_>) {
    const REQUEST_LIMIT: usize = 5;
    runner.arm(
        "Engage will return 429 for every purchase.",
        on_purchase(Effect::Status(FaultResponse::status(429))).times(0),
    );
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Pending, NotSent], "Engage rejected it: only pending or not sent is correct");
    let requests = runner.requests_for(COFFEE);
    if requests > REQUEST_LIMIT {
        runner.fail(
            Cost::Queue,
            &format!("one press sent {requests} purchase requests. All tills share the key's rate limit"),
        );
    }
    runner.clear_faults();
    is_completed_once(runner, COFFEE, reported);
}

fn redirect(runner: &mut Runner<'_>) {
    let other = match runner.another_sandbox().try_start() {
        Ok(other) => other,
        Err(error) => return runner.cannot(&error),
    };
    let location = format!("{}/api/v3/point-shop-items/purchase", other.http_url());
    let response = FaultResponse { headers: [("location".to_owned(), location)].into(), ..FaultResponse::status(307) };
    let fault = on_purchase(Effect::Status(response));
    completes_once_despite(runner, "The purchase will be redirected to another server.", fault);
    if !other.requests().is_empty() {
        runner.fail(Cost::Key, "the till followed the redirect, and sent the API key to another server");
    }
}

fn offline_start(runner: &mut Runner<'_>) {
    if let Err(error) = runner.add_network() {
        return runner.cannot(&error);
    }
    runner.cut_network();
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[NotSent, Pending], "nothing was sent: only not sent or pending is correct");
    runner.restore_network();
    is_completed_once(runner, COFFEE, reported);
}

fn network_cut(runner: &mut Runner<'_>) {
    if let Err(error) = runner.add_network() {
        return runner.cannot(&error);
    }
    runner.arm("No response to the purchase will arrive.", on_purchase(Effect::StallAfterCommit));
    let reported = runner.press_and_cut(COFFEE);
    runner.expect(reported, &[Pending], MAY_BE_DEDUCTED);
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Pending, NotSent], "the network is cut: only pending or not sent is correct");
    runner.clear_faults();
    runner.restore_network();
    is_found_completed_once(runner);
}

fn wrong_authority(runner: &mut Runner<'_>) {
    let other = match runner.another_sandbox().try_start() {
        Ok(other) => other,
        Err(error) => return runner.cannot(&error),
    };
    other.ca_file().clone_into(&mut runner.ca);
    runner.note("The till has another root certificate.");
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[NotSent, Other(1)], "the server's certificate is invalid: nothing may be sent");
    if !runner.sandbox.requests().is_empty() {
        runner.fail(Cost::Key, "the till sent the API key to a server whose certificate is invalid");
    }
    runner.expect_deducted(&[(COFFEE, 0)]);
}

fn wrong_key(runner: &mut Runner<'_>) {
    let right = std::mem::replace(&mut runner.key, "another-key".to_owned());
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Declined, NotSent, Other(1)], "Engage returned 401: nothing was deducted");
    runner.expect_deducted(&[(COFFEE, 0)]);
    runner.note("The till has the right key.");
    runner.key = right;
    // The new receipt is a new sale: a declined operation stays declined.
    let next = Sale { reference: "receipt 4712", ..COFFEE };
    runner.resolve(next, Completed);
    runner.expect_deducted(&[(next, 1)]);
}

fn wrong_clock(runner: &mut Runner<'_>) {
    runner.sandbox.set_clock_offset(-3 * 24 * 60 * 60 * 1000);
    let fault = on_purchase(Effect::CloseAfterCommit);
    completes_once_despite(runner, "Engage's clock is three days behind, and the response will be lost.", fault);
}

fn power_cut_before(runner: &mut Runner<'_>) {
    runner.arm("Engage sends no response.", Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    runner.press_and_kill(COFFEE, "at the till's first request", |_| true);
    runner.clear_faults();
    // Nothing may be recorded yet, so the cashier presses again.
    runner.resolve(COFFEE, Completed);
    runner.expect_deducted(&[(COFFEE, 1)]);
}

fn power_cut_sent(runner: &mut Runner<'_>) {
    runner.arm("Engage will not process the purchase.", on_purchase(Effect::StallBeforeCommit));
    runner.press_and_kill(COFFEE, "when the purchase has reached Engage", is_purchase);
    runner.clear_faults();
    is_found_completed_once(runner);
}

fn power_cut_due(runner: &mut Runner<'_>) {
    runner.arm("No response to the purchase will arrive.", on_purchase(Effect::StallAfterCommit));
    runner.press_and_kill(COFFEE, "when the points are deducted", is_purchase);
    runner.clear_faults();
    is_found_completed_once(runner);
}

fn power_cut_late(runner: &mut Runner<'_>) {
    const LATE: Duration = Duration::from_secs(4);
    runner.arm("Engage will process the purchase 4 s late.", on_purchase(Effect::Delay { ms: 4000 }));
    runner.press_and_kill(COFFEE, "when the purchase has reached Engage", is_purchase);
    runner.press_next_customer();
    runner.wait_for(LATE);
    is_found_completed_once(runner);
}

fn power_cut_twice(runner: &mut Runner<'_>) {
    runner.arm("No response to the purchase will arrive.", on_purchase(Effect::StallAfterCommit));
    runner.press_and_kill(COFFEE, "when the points are deducted", is_purchase);
    runner.clear_faults();
    runner.arm("Engage sends no response.", Fault::on(Operation::Any, Effect::StallBeforeCommit).times(0));
    runner.press_next_customer_and_kill("at the first request after the restart", |_| true);
    runner.clear_faults();
    is_found_completed_once(runner);
}

fn queue_goes_on(runner: &mut Runner<'_>) {
    let next = Sale { reference: "receipt 4712", contact: demo::LOAD, item: demo::TOTE_BAG };
    runner.arm(
        "No response to the purchase will arrive.",
        on_purchase(Effect::StallAfterCommit).contact(COFFEE.contact).times(0),
    );
    runner.arm(
        "Engage returns 503 for the member's purchases.",
        Fault::on(Operation::Purchases, Effect::Status(FaultResponse::status(503))).contact(COFFEE.contact).times(0),
    );
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Pending], MAY_BE_DEDUCTED);
    let reported = runner.press(next);
    runner.expect(reported, &[Completed], "the next customer's purchase is independent: only completed is correct");
    runner.clear_faults();
    runner.serve_others_until_resolved(COFFEE, Completed);
    runner.expect_deducted(&[(COFFEE, 1), (next, 1)]);
}

/// A till that does not redeem passes this scenario as a normal sale.
fn redeem_no_response(runner: &mut Runner<'_>) {
    let fault = Fault::on(Operation::Redeem, Effect::StallAfterCommit);
    completes_once_despite(runner, "No response to a redeem will arrive.", fault);
}

/// A purchase without a durable record would be lost in a power cut.
fn journal_unwritable(runner: &mut Runner<'_>) {
    if !runner.requires("{journal}") {
        return;
    }
    let file = runner.file("a-file");
    if let Err(error) = std::fs::write(&file, "not a folder") {
        return runner.cannot(&error);
    }
    let usable = std::mem::replace(&mut runner.journal, file.join("journal.db"));
    runner.note("The journal's folder does not exist.");
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[NotSent, Other(1)], "the journal cannot be written: nothing may be sent");
    if runner.requests_for(COFFEE) > 0 {
        runner.fail(Cost::Lost, "the purchase was sent without a durable record. A power cut would lose it");
    }
    runner.note("The journal can be written again.");
    runner.journal = usable;
    runner.resolve(COFFEE, Completed);
    runner.expect_deducted(&[(COFFEE, 1)]);
}

/// Arms a response that replaces Engage's after the deduction.
fn replaced(body: &str, content_type: &str, status: u16) -> Fault {
    on_purchase(Effect::StatusAfterCommit(FaultResponse {
        content_type: Some(content_type.to_owned()),
        body: Some(body.to_owned()),
        ..FaultResponse::status(status)
    }))
}

fn gateway_not_found(runner: &mut Runner<'_>) {
    let fault = replaced("<html><body>404 Not Found</body></html>", "text/html", 404);
    completes_once_despite(runner, "A gateway will return 404 after the deduction.", fault);
}

fn code_elsewhere(runner: &mut Runner<'_>) {
    let body = r#"{"message":"PointShopItemPurchaseProcessingTimedOut"}"#;
    let fault = replaced(body, "application/json", 404);
    completes_once_despite(runner, "Engage will return 404 with the code in the message.", fault);
}

fn unknown_rejection(runner: &mut Runner<'_>) {
    let body = r#"{"title":"One or more validation errors occurred.","status":400}"#;
    let fault = replaced(body, "application/problem+json", 400);
    completes_once_despite(runner, "A rejection without a code will be returned after the deduction.", fault);
}

fn key_rejected(runner: &mut Runner<'_>) {
    let fault = on_purchase(Effect::StatusAfterCommit(FaultResponse::status(401)));
    completes_once_despite(runner, "A gateway will return 401 after the deduction.", fault);
}

fn late_history(runner: &mut Runner<'_>) {
    let lag = runner.wait() + Duration::from_secs(4);
    let history_lag_ms = u32::try_from(lag.as_millis()).unwrap_or(u32::MAX);
    runner.sandbox.set_world(World { history_lag_ms, ..World::default() });
    runner.note(&format!("A purchase is in the history {:.1} s later.", lag.as_secs_f64()));
    completes_once_despite(runner, "The response to the purchase will be lost.", on_purchase(Effect::CloseAfterCommit));
}

fn paged_history(runner: &mut Runner<'_>) {
    runner.sandbox.set_world(World { history_page_rows: 1, ..World::default() });
    runner.note("The history is one page of one row, in an object.");
    let fault = on_purchase(Effect::CloseAfterCommit);
    completes_once_despite(runner, "The response to the purchase will be lost.", fault);
}

/// Hides a member's history, so that a till cannot know the outcome within the press.
fn hide_history(runner: &mut Runner<'_>) {
    let unavailable = Effect::Status(FaultResponse::status(503));
    runner.arm("The history is not available.", Fault::on(Operation::Purchases, unavailable).times(0));
}

/// Makes a sale whose points are deducted and whose outcome the till cannot know.
fn pending_sale(runner: &mut Runner<'_>, sale: Sale) {
    hide_history(runner);
    runner.arm("The response to the purchase will be lost.", on_purchase(Effect::CloseAfterCommit).times(0));
    let reported = runner.press(sale);
    runner.expect(reported, &[Pending], MAY_BE_DEDUCTED);
}

fn repeat_declined(runner: &mut Runner<'_>) {
    let member = Member::new("A member with points for one coffee", 100);
    let sale = Sale { contact: member.contact_id, ..COFFEE };
    if let Err(invalid) = runner.sandbox.add_member(member) {
        return runner.cannot(&invalid);
    }
    runner.sandbox.set_world(World { id_checked_last: true, ..World::default() });
    runner.note("Engage checks the points of a repeated purchase before it recognises the id.");
    hide_history(runner);
    runner.arm("The response to the purchase will be lost.", on_purchase(Effect::CloseAfterCommit));
    let reported = runner.press(sale);
    runner.expect(reported, &[Completed, Pending], MAY_BE_DEDUCTED);
    runner.clear_faults();
    is_completed_once(runner, sale, reported);
}

fn depart(runner: &mut Runner<'_>, into: Option<Uuid>, what: &str) {
    if let Err(invalid) = runner.sandbox.depart(MemberDeparture { contact_id: COFFEE.contact, into }) {
        runner.cannot(&invalid);
    }
    runner.note(what);
}

fn member_merged(runner: &mut Runner<'_>) {
    pending_sale(runner, COFFEE);
    runner.clear_faults();
    depart(runner, Some(demo::LOAD), "The member was merged into another one.");
    let again = Sale { contact: demo::LOAD, ..COFFEE };
    let reported = runner.press(again);
    runner.expect(
        reported,
        &[Pending, NotSent, Other(1)],
        "the receipt is pending for the member's earlier id: it may not be bought again",
    );
    runner.expect_deducted(&[(COFFEE, 1), (again, 0)]);
}

fn member_erased(runner: &mut Runner<'_>) {
    pending_sale(runner, COFFEE);
    runner.clear_faults();
    depart(runner, None, "The member was erased.");
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Pending], "the points were deducted, and Engage cannot say so any more");
    runner.expect_deducted(&[(COFFEE, 1)]);
}

fn two_tills(runner: &mut Runner<'_>) {
    if !runner.requires("{journal}") {
        return;
    }
    let sales = [COFFEE, Sale { reference: "receipt 4712", contact: demo::LOAD, ..COFFEE }];
    for (reported, sale) in runner.press_at_once(sales, [0, 1]).into_iter().zip(sales) {
        runner.expect(reported, &[Completed, Pending], "nothing failed: only completed or pending is correct");
        if reported != Completed {
            runner.serve_others_until_resolved(sale, Completed);
        }
    }
    runner.expect_deducted(&sales.map(|sale| (sale, 1)));
}

/// Returns the files of the journal: the file itself and those beside it with a longer name.
fn journal_files(journal: &Path) -> Vec<PathBuf> {
    let name = journal.file_name().unwrap_or_default().to_os_string();
    let beside = journal.parent().and_then(|folder| folder.read_dir().ok()).into_iter().flatten().flatten();
    beside
        .map(|entry| entry.path())
        .filter(|path| {
            let other = path.file_name().unwrap_or_default().as_encoded_bytes();
            path.is_file() && other.starts_with(name.as_encoded_bytes())
        })
        .collect()
}

fn journal_copied(runner: &mut Runner<'_>) {
    if !runner.requires("{journal}") {
        return;
    }
    pending_sale(runner, COFFEE);
    runner.end_till();
    let copy = runner.file("copy.db");
    let name = runner.journal.file_name().unwrap_or_default().len();
    for file in journal_files(&runner.journal) {
        let mut to = copy.clone().into_os_string();
        to.push(String::from_utf8_lossy(&file.file_name().unwrap_or_default().as_encoded_bytes()[name..]).as_ref());
        if let Err(error) = std::fs::copy(&file, &to) {
            return runner.cannot(&error);
        }
    }
    runner.note("All files of the journal are copied, and a second till uses the copy.");
    let original = std::mem::replace(&mut runner.journal, copy);
    let reported = runner.press(COFFEE);
    runner.expect(reported, &[Pending, NotSent, Other(1)], MAY_BE_DEDUCTED);
    runner.journal = original;
    runner.clear_faults();
    is_found_completed_once(runner);
}

fn journal_cut(runner: &mut Runner<'_>) {
    if !runner.requires("{journal}") {
        return;
    }
    pending_sale(runner, COFFEE);
    runner.end_till();
    for path in journal_files(&runner.journal) {
        let cut = std::fs::OpenOptions::new().write(true).open(&path).and_then(|file| {
            let half = file.metadata()?.len() / 2;
            file.set_len(half)
        });
        if let Err(error) = cut {
            return runner.cannot(&error);
        }
    }
    runner.clear_faults();
    runner.note("Each file of the journal loses its second half.");
    let reported = runner.press(COFFEE);
    runner.expect(
        reported,
        &[Completed, Pending, NotSent, Other(1)],
        "the points were deducted: the sale may not be declined",
    );
    runner.expect_deducted(&[(COFFEE, 1)]);
}

/// The receipt's number means another sale when the member differs.
fn receipt_of_another_member(runner: &mut Runner<'_>) {
    let other = Sale { contact: demo::LOAD, ..COFFEE };
    let first = runner.press(COFFEE);
    runner.expect(first, &[Completed], "nothing failed: only completed is correct");
    let second = runner.press(other);
    runner.expect(second, &[Completed, NotSent, Other(1)], "it is another sale: only completed or not sent is correct");
    runner.expect_deducted(&[(COFFEE, 1), (other, usize::from(second == Completed))]);
}

fn pending_for_days(runner: &mut Runner<'_>) {
    const DAYS: i64 = 3 * 24 * 60 * 60 * 1000;
    hide_history(runner);
    runner.arm("No response to the purchase will arrive.", on_purchase(Effect::StallAfterCommit).times(0));
    runner.press_and_kill(COFFEE, "when the points are deducted", is_purchase);
    runner.clear_faults();
    runner.sandbox.set_clock_offset(DAYS);
    runner.note("Three days pass by Engage's clock.");
    is_found_completed_once(runner);
}

/// A purchase of one tenant may not be sent to another one.
fn journal_of_another_tenant(runner: &mut Runner<'_>) {
    if !runner.requires("{journal}") {
        return;
    }
    pending_sale(runner, COFFEE);
    let mut other = match runner.another_sandbox().try_start() {
        Ok(other) => other,
        Err(error) => return runner.cannot(&error),
    };
    let mut ca = other.ca_file().to_owned();
    let at_home: Vec<_> = runner.sandbox.requests().iter().filter_map(|request| request.purchase_id).collect();
    std::mem::swap(&mut runner.sandbox, &mut other);
    std::mem::swap(&mut runner.ca, &mut ca);
    runner.note("The till is moved to another tenant, with its journal.");
    let next = Sale { reference: "receipt 4712", contact: demo::LOAD, item: demo::TOTE_BAG };
    let reported = runner.press(next);
    runner.expect(reported, &[Completed, Pending, NotSent, Other(1)], "the pending sale belongs to another tenant");
    let abroad = runner.sandbox.requests();
    if abroad.iter().any(|request| request.purchase_id.is_some_and(|id| at_home.contains(&id))) {
        runner.fail(Cost::Twice, "the pending sale of one tenant was sent to another tenant, and both may deduct it");
    }
    std::mem::swap(&mut runner.sandbox, &mut other);
    std::mem::swap(&mut runner.ca, &mut ca);
    runner.clear_faults();
    runner.note("The till is back.");
    runner.press_next_customer();
    runner.expect_deducted(&[(COFFEE, 1)]);
}

/// Expects that the till has shown the final outcome of the sale once, after a press that could not
/// know it.
fn is_shown_once(runner: &mut Runner<'_>, sale: Sale, outcome: &str) {
    for _ in 0..2 {
        runner.press_next_customer();
    }
    let shown = runner.shown(sale);
    let finals: Vec<&String> = shown.iter().filter(|shown| *shown != "pending").collect();
    let name = sale.reference;
    runner.note(&format!("{name}: the till has shown {finals:?}."));
    match finals.as_slice() {
        [] => runner.fail(
            Cost::Lost,
            &format!("{name}: the sale is {outcome}, and the till never shows it: nobody gives the member the reward"),
        ),
        [one] if *one == outcome => {}
        [one] => runner.fail(Cost::False, &format!("{name}: the till shows {one}; the outcome is {outcome}")),
        many => runner.fail(
            Cost::False,
            &format!("{name}: the till shows the outcome {} times: the reward may be given again", many.len()),
        ),
    }
}

fn completed_later(runner: &mut Runner<'_>) {
    if !runner.requires("{shown}") {
        return;
    }
    pending_sale(runner, COFFEE);
    runner.clear_faults();
    is_found_completed_once(runner);
    is_shown_once(runner, COFFEE, "completed");
}

fn declined_later(runner: &mut Runner<'_>) {
    if !runner.requires("{shown}") {
        return;
    }
    let (sale, takes) = slow_item(runner, ProcessingResponse::Processing, Ending::Failed);
    let reported = runner.press(sale);
    runner.expect(reported, &[Pending], "Engage is processing: only pending is correct");
    runner.wait_for(takes);
    runner.serve_others_until_resolved(sale, Declined);
    runner.expect_deducted(&[(sale, 0)]);
    is_shown_once(runner, sale, "declined");
}

fn acknowledged_not_shown(runner: &mut Runner<'_>) {
    if !runner.requires("{shown}") {
        return;
    }
    sale(runner);
    for _ in 0..2 {
        runner.press_next_customer();
    }
    if !runner.shown(COFFEE).is_empty() {
        runner.fail(Cost::False, "receipt 4711: the till shows a sale again whose outcome the cashier has seen");
    }
}
