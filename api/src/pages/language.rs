//! The languages we speak, and which of them a reader wants.

use axum::http::{HeaderMap, header};

/// A language that pages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// What who does not say gets.
    English,
    /// What who prefers it gets.
    French,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// The language as HTML and HTTP name it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The reader's preferred language among ours; English when the request does not say.
    pub fn wanted(headers: &HeaderMap) -> Self {
        let ranges: Vec<&str> = headers
            .get_all(header::ACCEPT_LANGUAGE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        let weight = |language: Self| {
            let weights = ranges
                .iter()
                .filter_map(|range| language.weight_in(range.trim()));
            weights.fold(0.0, f32::max)
        };
        if weight(Self::French) > weight(Self::English) {
            Self::French
        } else {
            Self::English
        }
    }

    /// The language's weight in one range such as `fr-CH;q=0.9`, if the range is about it.
    fn weight_in(self, range: &str) -> Option<f32> {
        let mut parts = range.split(';').map(str::trim);
        let primary = parts.next()?.split('-').next()?;
        if !primary.eq_ignore_ascii_case(self.tag()) {
            return None;
        }
        let quality = parts.find_map(|part| part.strip_prefix("q="));
        quality.map_or(Some(1.0), |value| value.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_gets_the_language_they_prefer_and_english_when_they_do_not_say() {
        for (accept, language) in [
            ("", "en"),
            ("*", "en"),
            ("de, nl", "en"),
            ("fr", "fr"),
            ("FR-ch, en;q=0.8", "fr"),
            ("fr;q=0.5, en;q=0.9", "en"),
            ("de, fr;q=0.3", "fr"),
            ("en-GB, fr", "en"),
            ("fr;q=nonsense, en;q=0.1", "en"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
            assert_eq!(Language::wanted(&headers).tag(), language, "{accept:?}");
        }
    }
}
