//! The rules of a scenario: the reported outcomes, the deductions, the requests and the till's own
//! lists.

use std::collections::BTreeSet;
use std::fs;

use uuid::Uuid;

use super::cost::Cost;
use super::report::{Failure, Grade, ScenarioResult};
use super::runner::{NEXT_RECEIPTS, Runner, Sale, is_purchase};
use super::till::ReportedOutcome;
use crate::export::har;
use crate::judge::{Case, Journal, judge};
use crate::ledger::LedgerKind;
use crate::log::KeySeen;
use crate::seed::demo;

impl Runner<'_> {
    pub fn fail(&mut self, cost: Cost, why: &str) {
        if !self.is_over() && self.failures.iter().all(|known| known.why != why) {
            self.failures.push(Failure { cost, why: why.to_owned() });
        }
    }

    /// Checks the reported outcome. `why` explains why only the allowed outcomes are correct.
    pub fn expect(&mut self, reported: ReportedOutcome, allowed: &[ReportedOutcome], why: &str) {
        // A late or failed start is recorded already.
        if !allowed.contains(&reported) && reported != ReportedOutcome::TimedOut {
            self.fail(Cost::False, &format!("the till reports {reported}; {why}"));
        }
    }

    /// Checks the number of deductions of each sale. Any other deduction is a failure.
    pub fn expect_deducted(&mut self, expected: &[(Sale, usize)]) {
        for &(sale, due) in expected {
            let found = self.deductions(sale);
            self.note(&format!("The ledger: {} is deducted {}.", sale.reference, times(found)));
            if found != due {
                let cost = if found > due { Cost::Twice } else { Cost::Lost };
                self.fail(cost, &format!("{}: deducted {}; due: {}", sale.reference, times(found), times(due)));
            }
        }
        self.expect_next_customer_deducted();
        let ledger = self.sandbox.ledger();
        let all = ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct);
        let next_customer = self.next_customer;
        let others = all.filter(|entry| entry.contact_id != next_customer).filter(|entry| {
            expected.iter().all(|(sale, _)| (sale.contact, sale.item) != (entry.contact_id, entry.item_id))
        });
        for entry in others {
            self.fail(
                Cost::Twice,
                &format!(
                    "member {} was deducted for item {}, which no sale asked for",
                    entry.contact_id, entry.item_id
                ),
            );
        }
    }

    /// The next customers are deducted at most once a receipt.
    fn expect_next_customer_deducted(&mut self) {
        let next = Sale { reference: "", contact: self.next_customer, item: demo::COFFEE };
        let (found, receipts) = (self.deductions(next), self.served.min(NEXT_RECEIPTS.len()));
        if found > receipts {
            self.fail(Cost::Twice, &format!("{receipts} next customers were served, and deducted {}", times(found)));
        }
    }

    /// Returns the number of deductions of a sale.
    pub fn deductions(&self, sale: Sale) -> usize {
        let ledger = self.sandbox.ledger();
        let deducted = ledger.iter().filter(|entry| entry.kind == LedgerKind::Deduct);
        deducted.filter(|entry| (entry.contact_id, entry.item_id) == (sale.contact, sale.item)).count()
    }

    /// Returns the number of purchase requests for this member that have reached the sandbox.
    pub fn requests_for(&self, sale: Sale) -> usize {
        let requests = self.sandbox.requests();
        requests.iter().filter(|request| is_purchase(request) && request.contact_id == Some(sale.contact)).count()
    }

    /// Checks the rules of every scenario, and ends the scenario.
    pub fn end(mut self) -> Result<ScenarioResult, String> {
        if let Some(why) = self.unstartable {
            return Err(why);
        }
        if self.session.terminal.is_closed() {
            return Err("the terminal was closed before the end of the certification".to_owned());
        }
        if self.session.terminal.take_skip() {
            self.skipped.get_or_insert("the person at the till has left it out".to_owned());
        }
        self.one_purchase_id_a_sale();
        self.requests_are_in_order();
        self.export_is_true();
        let grade = match (self.skipped, self.void, self.failures.is_empty()) {
            (Some(why), ..) => Grade::Skipped(why),
            (None, Some(why), _) => Grade::Void(why),
            (None, None, true) => Grade::Passed,
            (None, None, false) => Grade::Failed(self.failures),
        };
        let kept = matches!(grade, Grade::Failed(_) | Grade::Void(_));
        Ok(ScenarioResult {
            name: self.scenario.name,
            title: self.scenario.title,
            cost: self.scenario.cost,
            took: self.began.elapsed(),
            steps: self.steps,
            grade,
            har: kept.then(|| har(&self.sandbox.requests())),
        })
    }

    fn one_purchase_id_a_sale(&mut self) {
        let contacts: BTreeSet<Uuid> = self.sales.iter().map(|sale| sale.contact).collect();
        for contact in contacts {
            let requests = self.sandbox.requests();
            let ids: BTreeSet<Uuid> = requests
                .iter()
                .filter(|request| request.contact_id == Some(contact))
                .filter_map(|request| request.purchase_id)
                .collect();
            let sales = self.sales.iter().filter(|sale| sale.contact == contact).count();
            if ids.len() > sales {
                let what = if sales == 1 { "1 sale was".to_owned() } else { format!("{sales} sales were") };
                self.fail(
                    Cost::Twice,
                    &format!("{what} sent with {} purchase ids, and each may be deducted", ids.len()),
                );
            }
        }
    }

    /// Checks the headers that Engage requires of every request.
    fn requests_are_in_order(&mut self) {
        for request in self.sandbox.requests() {
            if request.user_agent.is_none_or(|agent| agent.trim().is_empty()) {
                self.fail(Cost::Rules, "a request has no User-Agent header, which Engage requires");
            }
            let is_json = |value: &hyper::header::HeaderValue| value.as_bytes().starts_with(b"application/json");
            if !request.request.headers.get("content-type").is_some_and(is_json) {
                self.fail(Cost::Rules, "a request has no Content-Type: application/json, which Engage requires");
            }
            if request.key == KeySeen::Missing {
                self.fail(Cost::Rules, "a request has no API key");
            }
        }
    }

    /// Judges the till's exported journal against the ledger, if there is an export.
    fn export_is_true(&mut self) {
        let Ok(json) = fs::read(self.file("export.json")) else { return };
        match Journal::from_json("", &json) {
            Err(error) => self.fail(Cost::False, &format!("the till's export is invalid: {error}")),
            Ok(journal) => {
                let ledger = self.sandbox.ledger();
                let case =
                    Case { ledger: &ledger, journals: &[journal], resolved: false, partial: true, attempts: None };
                for (rule, why) in judge(&case).reasons() {
                    self.fail(Cost::False, &format!("the till's export: {rule}: {why}"));
                }
            }
        }
    }
}

fn times(count: usize) -> String {
    match count {
        0 => "not at all".to_owned(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}
