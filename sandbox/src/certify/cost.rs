//! The costs of a failure: what a member, a cashier or a retailer pays for it.

/// The cost of a failure, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// The member pays more than once.
    Twice,
    /// The member pays and gets no reward, or nobody learns of it.
    Lost,
    /// The cashier says something false.
    False,
    /// The queue waits.
    Queue,
    /// Another party gets the API key.
    Key,
    /// Engage may reject the till.
    Rules,
}

impl Cost {
    /// Returns all costs, the worst first.
    pub const ALL: [Cost; 6] = [Cost::Twice, Cost::Lost, Cost::False, Cost::Queue, Cost::Key, Cost::Rules];

    /// Returns the heading of the scenarios whose failure costs this.
    pub fn heading(self) -> &'static str {
        match self {
            Cost::Twice => "The member may pay twice",
            Cost::Lost => "The member may pay and get no reward",
            Cost::False => "The cashier may say something false",
            Cost::Queue => "The queue may wait",
            Cost::Key => "Another party may get the API key",
            Cost::Rules => "Engage may reject the till",
        }
    }

    /// Returns the name in the JSON report.
    pub fn name(self) -> &'static str {
        match self {
            Cost::Twice => "paysTwice",
            Cost::Lost => "purchaseLost",
            Cost::False => "falseOutcome",
            Cost::Queue => "queueWaits",
            Cost::Key => "keyExposed",
            Cost::Rules => "requestsRejected",
        }
    }

    /// Returns the risk as a verb: the till "deducts twice" when something happens.
    fn verb(self) -> &'static str {
        match self {
            Cost::Twice => "deducts twice",
            Cost::Lost => "loses a purchase",
            Cost::False => "reports a false outcome",
            Cost::Queue => "holds up the queue",
            Cost::Key => "sends the API key to another party",
            Cost::Rules => "breaks Engage's rules for requests",
        }
    }

    /// Returns the risk in words: what the till does, and when.
    pub fn risk(self, title: &str) -> String {
        let situation = title.split(':').next().unwrap_or(title);
        let (first, rest) = situation.split_once(' ').unwrap_or((situation, ""));
        let first = match first {
            "A" | "An" | "The" | "One" | "Two" | "Nobody" => first.to_lowercase(),
            name => name.to_owned(),
        };
        format!("{} when {first} {rest}", self.verb())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_risk_is_a_sentence_part() {
        assert_eq!(
            Cost::Twice.risk("The cashier presses again for the same sale: one purchase"),
            "deducts twice when the cashier presses again for the same sale"
        );
        assert_eq!(Cost::Queue.risk("Engage is slow"), "holds up the queue when Engage is slow");
    }
}
