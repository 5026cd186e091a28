//! The goals, each with its measured value.

/// One row of the table.
pub struct Goal {
    pub measure: &'static str,
    pub limit: f64,
    pub measured: f64,
    /// The unit: "" for a ratio.
    pub unit: &'static str,
    pub digits: usize,
}

impl Goal {
    pub fn is_met(&self) -> bool {
        // The shown value decides: a ratio of 0.404 is 0.40.
        let shown: f64 = self.show(self.measured).parse().unwrap_or(f64::NAN);
        shown <= self.limit
    }

    fn show(&self, value: f64) -> String {
        format!("{value:.0$}", self.digits)
    }

    pub fn row(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let (limit, measured) = (self.show(self.limit), self.show(self.measured));
        format!(
            "| {} | ≤ {limit}{unit} | {measured}{unit} | {} |",
            self.measure,
            if self.is_met() { "met" } else { "**missed**" }
        )
    }
}
