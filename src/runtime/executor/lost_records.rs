//! A journal that has lost records: when, and which sale may be one of the lost.

use super::{Executor, LOSS_SEEN, STAMP_TOLERANCE_MS};
use crate::core::domain::{Millis, Operation, millis};
use crate::core::error::Result;
use crate::core::evidence::QueryResult;
use crate::core::id::OperationId;
use crate::core::intent::Intent;
use crate::engage::History;
use std::sync::atomic::Ordering;

impl Executor {
    /// Adds to the absence of a purchase whether its member has bought the same item under an id
    /// that the journal does not know: that may be the same sale, whose record was lost.
    pub(super) fn with_lost_sales(
        &self,
        intent: &Intent,
        history: &History,
        result: QueryResult,
    ) -> Result<QueryResult> {
        let absent = matches!(result, QueryResult::Absent | QueryResult::Unreadable(_));
        let Operation::Purchase(purchase) = intent.operation else { return Ok(result) };
        if !absent || !intent.progress.query_first || intent.progress.shared_id {
            return Ok(result);
        }
        // Not long before the press, and not in this run.
        let made = match self.engage.server_now() {
            Some((earliest, latest)) => {
                let pressed = if intent.progress.recorded_by_engage { intent.recorded_at } else { earliest };
                let run = millis(self.monotonic());
                pressed.min(earliest).saturating_sub(self.loss_window())
                    ..=latest.saturating_sub(run) + STAMP_TOLERANCE_MS
            }
            None => 0..=Millis::MAX,
        };
        let mut similar = Vec::new();
        for row in self.engage.similar_in(&purchase, history, &made) {
            let mut is_known = false;
            for id in &row.ids {
                is_known |= self.journal.get(OperationId::from_uuid(*id))?.is_some();
            }
            if !is_known {
                similar.push(row);
            }
        }
        Ok(match similar.as_slice() {
            [] => result,
            rows => QueryResult::Similar {
                response: Some(rows[0].response.to_owned()).filter(|_| rows.len() == 1),
                cause: format!(
                    "the journal has lost records, and the member's history has {} purchases of this item that it does \
                     not know; compare them with the receipt (eps_list_purchases) and decide (eps_resolve_review)",
                    rows.len()
                ),
            },
        })
    }

    /// How long after a loss a press may mean a lost sale, in ms: as long as a reference means its
    /// sale, and as long as a lost purchase could be sent.
    pub(super) fn loss_window(&self) -> Millis {
        self.config.reference_window_ms.max(self.config.retry.resend_limit_ms)
    }

    /// Returns when records were lost, by the till's clock, while a press may mean one of them.
    /// Only Engage's clock ends that time.
    pub(super) fn lost_at(&self) -> Option<Millis> {
        let lost_at = self.journal.incomplete_before()?;
        let seen = self.loss_seen.load(Ordering::Relaxed);
        let is_over = self.clocks().engage.is_some_and(|(now, _)| seen > 0 && now > seen + self.loss_window());
        (!is_over).then_some(lost_at)
    }

    /// Stores when a loss was first known, as soon as Engage's clock is.
    pub(super) fn note_loss(&self) {
        if let Some(lost_at) = self.journal.incomplete_before()
            && self.loss_seen.load(Ordering::Relaxed) == 0
            && let Some((_, now)) = self.clocks().engage
            && self.journal.set_fact(LOSS_SEEN, &format!("{lost_at} {now}")).is_ok()
        {
            self.loss_seen.store(now, Ordering::Relaxed);
        }
    }
}
