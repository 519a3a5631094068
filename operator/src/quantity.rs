//! Sizes as users write them: a whole number and a unit.

/// A size that was parsed: the text as written and its value in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    text: String,
    bytes: u128,
}

impl Size {
    /// Parses `20Gi`, `500M`, `1024`. `None` for anything else: fractions, exponents, zero and signs have no use here.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        if number.is_empty() || number.len() > 15 || number.starts_with('0') {
            return None;
        }
        let factor: u128 = match unit {
            "" => 1,
            "k" => 1000,
            "M" => 1000_u128.pow(2),
            "G" => 1000_u128.pow(3),
            "T" => 1000_u128.pow(4),
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            "Ti" => 1 << 40,
            _ => return None,
        };
        Some(Self {
            text: text.to_owned(),
            bytes: number.parse::<u128>().ok()? * factor,
        })
    }

    /// The value in bytes.
    pub fn bytes(&self) -> u128 {
        self.bytes
    }

    /// The text as it was written, which is how Kubernetes reads it too.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The larger of two sizes; the first when they are equal.
    #[must_use]
    pub fn at_least(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.bytes > self.bytes => other,
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    fn check(text: &str, bytes: Option<u128>) {
        assert_eq!(
            Size::parse(text).map(|size| size.bytes()),
            bytes,
            "{text:?}"
        );
    }

    #[test]
    fn whole_numbers_with_a_unit_are_sizes() {
        check("1Gi", Some(1 << 30));
        check("256Mi", Some(256 << 20));
        check("500M", Some(500_000_000));
        check("1024", Some(1024));
        check("999999999999999Ti", Some(999_999_999_999_999 << 40));
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            "Gi",
            "0",
            "0Gi",
            "01Gi",
            "-1Gi",
            "+1Gi",
            "1.5Gi",
            "1e3",
            "1 Gi",
            "1GiB",
            "1m",
            "1Pi",
            "1000000000000000",
            "１Gi",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn the_larger_size_wins_and_a_tie_keeps_the_first() {
        let size = |text| Size::parse(text).unwrap();
        assert_eq!(size("1Gi").at_least(Some(size("2Gi"))).as_str(), "2Gi");
        assert_eq!(size("2Gi").at_least(Some(size("1Gi"))).as_str(), "2Gi");
        assert_eq!(size("1Gi").at_least(Some(size("1024Mi"))).as_str(), "1Gi");
        assert_eq!(size("1Gi").at_least(None).as_str(), "1Gi");
    }
}
