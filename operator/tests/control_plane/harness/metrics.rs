//! What the shared operator counts of its own work.

use super::setup;

/// The operator's metrics, as one scrape.
pub(crate) struct Scrape(String);

impl Scrape {
    pub(crate) async fn now() -> Self {
        let operator = setup::shared_operator().take().expect("it runs");
        let answer = operator.ask("/metrics").await;
        *setup::shared_operator() = Some(operator);
        Self(answer.expect("it tells its metrics").1)
    }

    /// Applies that were sent since the operator started.
    pub(crate) fn applies_sent(&self) -> usize {
        self.sum("tpstack_operator_applies_total{what=\"sent\"}")
    }

    /// Applies that were left out.
    pub(crate) fn applies_left_out(&self) -> usize {
        self.sum("tpstack_operator_applies_total{what=\"left_out\"}")
    }

    /// Runs that ended with nothing left to do.
    pub(crate) fn runs(&self) -> usize {
        self.sum("tpstack_operator_reconciliations_total{")
    }

    /// The sum of the series that begin so.
    fn sum(&self, begin: &str) -> usize {
        let lines = self.0.lines().filter(|line| line.starts_with(begin));
        let values = lines.filter_map(|line| line.rsplit(' ').next());
        values
            .map(|value| value.parse::<usize>().expect("a whole number"))
            .sum()
    }
}
