//! Keeps other people's pages from acting with a visitor's cookie. Browsers say where a request comes from; who says
//! nothing is no browser, and carries no cookie that it was not given on purpose.

use crate::error::Error;
use axum::http::{HeaderMap, Uri, header};

/// Refuses what a page of another origin asked a browser to send. `SameSite=Lax` refuses most of it before.
pub(super) fn refuse(headers: &HeaderMap, uri: &Uri) -> Result<(), Error> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        // Over plain text, browsers send the origin only.
        (None, Some(origin)) => {
            let host = text(header::HOST.as_str())
                .or_else(|| uri.authority().map(axum::http::uri::Authority::as_str));
            let of_origin = origin.split_once("://").map(|(_, authority)| authority);
            of_origin
                .zip(host)
                .is_some_and(|(of_origin, host)| of_origin.eq_ignore_ascii_case(host))
        }
        (None, None) => true,
    };
    if own { Ok(()) } else { Err(Error::CrossSite) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_and_no_pages_at_all_may_ask() {
        for (pairs, allowed) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "")], false),
            (
                &[("origin", "http://a.example:81"), ("host", "A.example:81")],
                true,
            ),
            (
                &[("origin", "https://a.example"), ("host", "a.example")],
                true,
            ),
            (
                &[("origin", "https://b.example"), ("host", "a.example")],
                false,
            ),
            (&[("origin", "null"), ("host", "a.example")], false),
            (&[("origin", "https://a.example")], false),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")],
                true,
            ),
        ] {
            let headers = pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            assert_eq!(
                refuse(&headers, &Uri::from_static("/x")).is_ok(),
                allowed,
                "{pairs:?}"
            );
        }
        let origin = [("origin", "http://a.example")]
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        // HTTP/2 has no Host header.
        assert!(refuse(&origin, &Uri::from_static("http://a.example/x")).is_ok());
    }
}
