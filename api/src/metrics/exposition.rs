//! Writing metrics as text: Prometheus' format 0.0.4 and `OpenMetrics` 1.0, into one buffer, without formatting machinery.
//!
//! What differs between the two: `OpenMetrics` names a counter's family without `_total`, tells units, writes bounds with
//! a point, has a type for build information, and ends with `# EOF`.

use super::histogram::Histogram;

/// A text format for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, version 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

/// What kind of metric a family is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows. The family's samples end with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket.
    Histogram,
    /// A constant 1 whose labels tell something. The sample ends with `_info`.
    Info,
}

/// A buffer that is filled family by family.
pub(super) struct Exposition {
    format: Format,
    text: Vec<u8>,
}

impl Exposition {
    pub(super) fn new(format: Format, capacity: usize) -> Self {
        Self {
            format,
            text: Vec::with_capacity(capacity),
        }
    }

    /// The whole, complete.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.push(&["# EOF\n"]);
        }
        String::from_utf8(self.text).expect("texts one after the other make a text")
    }

    /// Starts a family. `name` is without `_total` and `_info`, `unit` is its last word if that is a unit.
    pub(super) fn family(&mut self, name: &str, kind: Kind, unit: &str, help: &str) {
        let open_metrics = self.format == Format::OpenMetrics;
        let (suffix, kind) = match kind {
            Kind::Counter if open_metrics => ("", "counter"),
            Kind::Counter => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
            Kind::Histogram => ("", "histogram"),
            Kind::Info if open_metrics => ("", "info"),
            Kind::Info => ("_info", "gauge"),
        };
        self.push(&["# HELP ", name, suffix, " ", help, "\n"]);
        self.push(&["# TYPE ", name, suffix, " ", kind, "\n"]);
        if open_metrics && !unit.is_empty() {
            self.push(&["# UNIT ", name, " ", unit, "\n"]);
        }
    }

    /// A sample with a whole number. `labels` are ready, braces included, or empty.
    pub(super) fn sample(&mut self, name: &str, labels: &[&str], value: u64) {
        self.append(name);
        self.push(labels);
        self.text.push(b' ');
        self.append(itoa::Buffer::new().format(value));
        self.text.push(b'\n');
    }

    /// A sample of seconds.
    pub(super) fn seconds(&mut self, name: &str, labels: &[&str], nanoseconds: u64) {
        self.append(name);
        self.push(labels);
        self.text.push(b' ');
        self.push_seconds(nanoseconds);
        self.text.push(b'\n');
    }

    /// All samples of a histogram whose labels, without braces, are `label`.
    pub(super) fn histogram<const N: usize>(
        &mut self,
        name: &str,
        label: [&str; 3],
        histogram: &Histogram<N>,
    ) {
        let [key, value, quote] = label;
        let comma = if key.is_empty() { "" } else { "," };
        let snapshot = histogram.snapshot();
        // What all buckets begin with is put together once.
        let bucket = [name, "_bucket{", key, value, quote, comma, "le=\""].concat();
        for ((_, plain, pointed), count) in histogram.bounds().iter().zip(snapshot.cumulative) {
            let bound = match self.format {
                Format::Text => plain,
                Format::OpenMetrics => pointed,
            };
            self.sample(&bucket, &[bound, "\"}"], count);
        }
        self.sample(&bucket, &["+Inf\"}"], snapshot.count);
        let (open, close) = if key.is_empty() { ("", "") } else { ("{", "}") };
        let labels = ["_sum", open, key, value, quote, close];
        self.seconds(name, &labels, snapshot.nanoseconds);
        let labels = ["_count", open, key, value, quote, close];
        self.sample(name, &labels, snapshot.count);
    }

    /// Appends a text, and these are short: a copy of a known length is a move or two, a copy of any length is a call, and
    /// musl's takes longer for a word than the word is worth.
    fn append(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let Some((piece, left)) = rest.split_first_chunk::<16>() {
            self.text.extend_from_slice(piece);
            rest = left;
        }
        if let Some((piece, left)) = rest.split_first_chunk::<8>() {
            self.text.extend_from_slice(piece);
            rest = left;
        }
        if let Some((piece, left)) = rest.split_first_chunk::<4>() {
            self.text.extend_from_slice(piece);
            rest = left;
        }
        if let Some((piece, left)) = rest.split_first_chunk::<2>() {
            self.text.extend_from_slice(piece);
            rest = left;
        }
        if let Some(&last) = rest.first() {
            self.text.push(last);
        }
    }

    fn push(&mut self, parts: &[&str]) {
        for part in parts {
            self.append(part);
        }
    }

    /// Exactly, as a decimal fraction: no float is in between.
    fn push_seconds(&mut self, nanoseconds: u64) {
        const SECOND: u64 = 1_000_000_000;
        let mut digits = itoa::Buffer::new();
        self.append(digits.format(nanoseconds / SECOND));
        let fraction = nanoseconds % SECOND;
        if fraction != 0 {
            self.text.push(b'.');
            // The leading 1 keeps the zeros that follow it.
            let digits = digits.format(SECOND + fraction);
            let digits = digits.trim_end_matches('0');
            self.append(digits.get(1..).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_is_appended_whole() {
        let text = "abcdefghijklmnopqrstuvwxyzäöü0123456789ABCDEFGHIJ";
        for length in (0..=text.len()).filter(|&length| text.is_char_boundary(length)) {
            let mut exposition = Exposition::new(Format::Text, 0);
            exposition.push(&["<", &text[..length], ">"]);
            assert_eq!(exposition.finish(), format!("<{}>", &text[..length]));
        }
    }

    #[test]
    fn seconds_are_exact() {
        for (nanoseconds, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (300_000_000, "0.3"),
            (10_000_000_000, "10"),
            (1_020_000_000, "1.02"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            let mut exposition = Exposition::new(Format::Text, 0);
            exposition.push_seconds(nanoseconds);
            assert_eq!(exposition.finish(), text);
        }
    }
}
