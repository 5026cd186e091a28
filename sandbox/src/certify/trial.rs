//! One sale before the scenarios: a command line that is wrong is reported once, with the till's
//! output, and not by every scenario.

use std::time::{Duration, Instant};

use super::Session;
use super::cost::Cost;
use super::press::{Exit, Press, RunningTill};
use super::runner::Runner;
use super::scenarios::{COFFEE, Scenario};
use super::till::{ReportedOutcome, Till};

const TRIAL: Scenario = Scenario { cost: Cost::False, name: "trial", title: "", run: |_| {} };

/// The interval between two checks whether the till has ended.
const INTERVAL: Duration = Duration::from_millis(20);

/// Sells once without a fault. Returns an error if the till's command ends without an outcome, or
/// with success, and has sent no request.
pub(super) fn trial(session: &Session<'_>) -> Result<(), String> {
    if matches!(session.plan.till, Till::Manual) {
        return Ok(());
    }
    let mut runner = Runner::new(session, &TRIAL).map_err(|error| error.to_string())?;
    match runner.sells_or_ends() {
        Some(ended) => judge(&ended, &session.plan.till),
        None => runner.unstartable.take().map_or(Ok(()), Err),
    }
}

impl Runner<'_> {
    /// Returns the end of the till's program, if it ends before its first request.
    fn sells_or_ends(&mut self) -> Option<Exit> {
        let mut press = self.start(COFFEE, 0)?;
        let (began, limit) = (Instant::now(), self.limit());
        let is_resident = matches!(self.session.plan.till, Till::Resident(_));
        while !press.is_over() {
            if self.sandbox.wait_for(INTERVAL, |_| true).is_some() || began.elapsed() >= limit {
                return None;
            }
        }
        let is_call = !matches!(press, Press::Program(_));
        let mut ended = self.end_of(press);
        if is_resident && is_call {
            // The outcome is the end of the sale. The till's end counts.
            let code = self.tills.values_mut().find_map(RunningTill::has_ended);
            ended.reported = code.or_else(|| self.tills.is_empty().then_some(ended.reported))?;
        }
        self.sandbox.requests().is_empty().then_some(ended)
    }
}

fn judge(ended: &Exit, till: &Till) -> Result<(), String> {
    let how = match ended.reported {
        ReportedOutcome::Completed => "with exit code 0".to_owned(),
        ReportedOutcome::Other(-1) => "without an exit code".to_owned(),
        ReportedOutcome::Other(code) => format!("with exit code {code}"),
        _ => return Ok(()),
    };
    let output = match ended.printed.trim_end() {
        "" => "It has printed nothing".to_owned(),
        printed => format!("Its output:\n{printed}"),
    };
    Err(format!(
        "the till's command ended {how} and has sent no request to Engage. Check the command line: {till}\n{output}"
    ))
}
