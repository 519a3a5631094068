//! Which text format a scraper wants, by its `Accept` header (RFC 9110 §12.5.1). Nobody is refused: whoever asks for
//! neither gets Prometheus' text, which anything that scrapes can read.

use super::Format;
use axum::http::HeaderValue;

impl Format {
    /// The format that the header's values ask for.
    pub fn accepted<'a>(accept: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let mut open_metrics = Wish::default();
        let mut text = Wish::default();
        for value in accept {
            for range in value.to_str().unwrap_or_default().split(',') {
                let range = Range::parse(range);
                open_metrics.note(
                    range.precision("application", "openmetrics-text", "1.0.0"),
                    range.quality,
                );
                text.note(range.precision("text", "plain", "0.0.4"), range.quality);
            }
        }
        // Whoever is indifferent gets what everybody has always read.
        if open_metrics.quality > text.quality {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// The content type of the format.
    pub const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        })
    }
}

/// How much a format is wanted: what the most precise range that names it says.
#[derive(Default)]
struct Wish {
    precision: u8,
    quality: u16,
}

impl Wish {
    fn note(&mut self, precision: u8, quality: u16) {
        let as_precise = precision > 0 && precision == self.precision;
        if precision > self.precision || (as_precise && quality > self.quality) {
            *self = Self { precision, quality };
        }
    }
}

/// One element of `Accept`.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts
            .next()
            .and_then(|media| media.split_once('/'))
            .unwrap_or_default();
        let mut range = Self {
            kind,
            subtype,
            version: None,
            quality: 1000,
        };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.eq_ignore_ascii_case("q") {
                range.quality = thousandths(value);
            } else if name.eq_ignore_ascii_case("version") {
                range.version = Some(value.trim_matches('"'));
            }
        }
        range
    }

    /// How precisely this range names a format; 0 is not at all.
    fn precision(&self, kind: &str, subtype: &str, version: &str) -> u8 {
        let same = |mine: &str, theirs: &str| mine.eq_ignore_ascii_case(theirs);
        match (self.kind, self.subtype, self.version) {
            ("*", "*", _) => 1,
            (mine, "*", _) if same(mine, kind) => 2,
            (mine, sub, None) if same(mine, kind) && same(sub, subtype) => 3,
            (mine, sub, Some(asked))
                if same(mine, kind) && same(sub, subtype) && asked == version =>
            {
                4
            }
            _ => 0,
        }
    }
}

/// A quality value; one that is none refuses nothing and prefers nothing.
fn thousandths(value: &str) -> u16 {
    let quality: f32 = value.parse().unwrap_or(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0 to 1 before it is scaled"
    )]
    let thousandths = (quality.clamp(0.0, 1.0) * 1000.0).round() as u16;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_wanted_most() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (prometheus_3, Format::OpenMetrics),
            (prometheus_2, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "Application/OpenMetrics-Text; Version=\"1.0.0\"",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;q=0.4, text/plain;q=0.5",
                Format::Text,
            ),
            (
                "application/openmetrics-text;q=0.5, */*;q=0.4",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;q=0, */*", Format::Text),
            // A version we do not speak.
            ("application/openmetrics-text;version=2.0.0", Format::Text),
            (
                "application/openmetrics-text;version=0.0.1,text/plain;q=0.5",
                Format::Text,
            ),
            ("application/*", Format::OpenMetrics),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml", Format::Text),
            ("", Format::Text),
            (";;,/,q=,application/openmetrics-text;q=nan", Format::Text),
        ] {
            let header = HeaderValue::from_str(accept).unwrap();
            assert_eq!(Format::accepted([&header]), format, "{accept}");
        }
        assert_eq!(Format::accepted([]), Format::Text);
        let (one, two) = (
            HeaderValue::from_static("text/plain;q=0.1"),
            HeaderValue::from_static("application/openmetrics-text"),
        );
        assert_eq!(Format::accepted([&one, &two]), Format::OpenMetrics);
    }
}
