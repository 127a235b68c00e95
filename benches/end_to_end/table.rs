//! The figures as a markdown table: a row a measure, with the bar and whether it holds.

/// Rows, in the order they were measured.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<String>,
}

/// What a figure must be.
pub(crate) enum Bar {
    /// At most this.
    Most(f64),
    /// At least this.
    Least(f64),
    /// From the first to the second.
    Within(f64, f64),
}

impl Table {
    /// A figure of ours beside a peer's: `ratio` is what the bar is on.
    pub(crate) fn row(&mut self, measure: &str, own: &str, peer: &str, ratio: f64, bar: &Bar) {
        let (text, held) = match *bar {
            Bar::Most(most) => (format!("at most {most:.3}"), ratio <= most),
            Bar::Least(least) => (format!("at least {least:.3}"), ratio >= least),
            Bar::Within(low, high) => {
                (format!("{low:.2} to {high:.2}"), (low..=high).contains(&ratio))
            }
        };
        let held = if held { "yes" } else { "**no**" };
        self.push(format!("| {measure} | {own} | {peer} | {ratio:.3} | {text} | {held} |"));
    }

    /// A figure whose bar is absolute, in the same unit.
    pub(crate) fn plain(&mut self, measure: &str, own: f64, peer: &str, most: f64) {
        let held = if own <= most { "yes" } else { "**no**" };
        self.push(format!("| {measure} | {own:.1} | {peer} | | at most {most} | {held} |"));
    }

    /// A figure without a bar.
    pub(crate) fn note(&mut self, measure: &str, own: &str, peer: &str) {
        self.push(format!("| {measure} | {own} | {peer} | | | |"));
    }

    fn push(&mut self, row: String) {
        eprintln!("{row}");
        self.rows.push(row);
    }

    /// Prints it on stdout.
    pub(crate) fn print(&self) {
        println!("\n| measure | lakeward | peer | ratio | bar | held |\n|---|---|---|---|---|---|");
        for row in &self.rows {
            println!("{row}");
        }
    }
}

/// The middle one, or the mean of the middle two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    let at = |place: usize| values.get(place).copied().expect("a value at least");
    f64::midpoint(at(low), at(high))
}
