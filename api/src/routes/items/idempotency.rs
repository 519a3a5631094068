//! `Idempotency-Key`: the client's name for one creation.

use crate::error::Error;
use axum::http::HeaderMap;

/// What a key looks like, as a regular expression.
pub(crate) const PATTERN: &str = "^[!-~]{1,255}$";

/// The key, if there is one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default();
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if values.next().is_none() && visible && (1..=255).contains(&key.len()) {
        return Ok(Some(key));
    }
    let detail = "Idempotency-Key must be one value of 1 to 255 visible ASCII characters";
    Err(Error::BadRequest(detail.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_key_is_one_short_visible_value() {
        let (longest, longer) = ("k".repeat(255), "k".repeat(256));
        for (values, expected) in [
            (&[][..], Some(None)),
            (&["a"], Some(Some("a"))),
            (&["\"8e03978e-40d5\""], Some(Some("\"8e03978e-40d5\""))),
            (&[longest.as_str()], Some(Some(longest.as_str()))),
            (&[longer.as_str()], None),
            (&[""], None),
            (&["a b"], None),
            (&["a\tb"], None),
            (&["é"], None),
            (&["a", "a"], None),
        ] {
            let headers: HeaderMap = values
                .iter()
                .map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap())
                .map(|value| ("idempotency-key".parse().unwrap(), value))
                .collect();
            assert_eq!(key(&headers).ok(), expected, "{values:?}");
        }
    }
}
