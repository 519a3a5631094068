//! The cookie that carries a session's id: made here, read here.

use super::{ABSOLUTE_LIFETIME, SessionId};
use crate::config::CookieSecurity;
use axum::http::{HeaderMap, HeaderValue, header};

/// How ids travel between us and clients.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    security: CookieSecurity,
}

/// What the cookie is called and demands, for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Over TLS only. Its prefix makes browsers refuse one that another host, or plain text, wants to plant.
    Secure,
    /// Over plain text too, on a machine of one's own.
    Plain,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Secure => "__Host-session",
            Self::Plain => "session",
        }
    }

    fn attributes(self) -> &'static str {
        match self {
            Self::Secure => "; Path=/; HttpOnly; SameSite=Lax; Secure",
            Self::Plain => "; Path=/; HttpOnly; SameSite=Lax",
        }
    }
}

impl Cookies {
    pub(super) fn new(security: CookieSecurity) -> Self {
        Self { security }
    }

    /// The id the client shows, if it shows one of ours. Two different ones are none: one of them was planted, and nobody
    /// can say which.
    pub fn shown(self, headers: &HeaderMap) -> Option<SessionId> {
        let name = self.kind(headers).name();
        let mut ids = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(key, _)| *key == name)
            .filter_map(|(_, value)| SessionId::parse(value));
        let first = ids.next()?;
        ids.all(|other| other == first).then_some(first)
    }

    /// Whether the client shows a cookie of the session's name at all, whatever is in it.
    pub fn any_shown(self, headers: &HeaderMap) -> bool {
        let name = self.kind(headers).name();
        headers
            .get_all(header::COOKIE)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
            .any(|pair| {
                let pair = pair.trim_ascii();
                pair.strip_prefix(name.as_bytes())
                    .is_some_and(|rest| rest.first() == Some(&b'='))
            })
    }

    /// Gives the client `id`. The server decides when a session ends; the browser forgets it at the latest possible end.
    pub fn give(self, id: &SessionId, headers: &HeaderMap) -> HeaderValue {
        let kind = self.kind(headers);
        cookie(kind, id.expose(), ABSOLUTE_LIFETIME.as_secs())
    }

    /// Takes the cookie away from the client.
    pub fn take(self, headers: &HeaderMap) -> HeaderValue {
        cookie(self.kind(headers), "", 0)
    }

    fn kind(self, headers: &HeaderMap) -> Kind {
        match self.security {
            CookieSecurity::Always => Kind::Secure,
            CookieSecurity::Auto if came_over_tls(headers) => Kind::Secure,
            CookieSecurity::Auto | CookieSecurity::Never => Kind::Plain,
        }
    }
}

/// What the proxy in front of us says, the outermost one first. Whoever makes it up changes their own cookie only.
fn came_over_tls(headers: &HeaderMap) -> bool {
    headers
        .get("x-forwarded-proto")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(',').next())
        .is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

fn cookie(kind: Kind, value: &str, max_age: u64) -> HeaderValue {
    let (name, attributes) = (kind.name(), kind.attributes());
    let text = format!("{name}={value}{attributes}; Max-Age={max_age}");
    let mut value = HeaderValue::try_from(text).expect("names, hex digits and numbers are ASCII");
    // Kept out of debug output and out of HTTP/2's header table.
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn shown(security: CookieSecurity, pairs: &[(&'static str, &str)]) -> Option<String> {
        let id = Cookies::new(security).shown(&headers(pairs));
        id.map(|id| id.expose().to_owned())
    }

    #[test]
    fn the_cookie_is_found_among_others_and_only_by_its_own_name() {
        use CookieSecurity::{Always, Auto, Never};
        let (a, b) = (id('a'), id('b'));
        let plain = format!("x=1; session={a}; y=2");
        let secure = format!("__Host-session={b}; session={a}");
        let tls = ("x-forwarded-proto", "HTTPS, http");
        for (security, pairs, expected) in [
            (Auto, vec![], None),
            (Auto, vec![("cookie", plain.as_str())], Some(&a)),
            (Never, vec![("cookie", &secure), tls], Some(&a)),
            (Always, vec![("cookie", &secure)], Some(&b)),
            (Auto, vec![("cookie", &secure), tls], Some(&b)),
            // Planted over plain text, shown over TLS.
            (Auto, vec![("cookie", &plain), tls], None),
            (Auto, vec![("cookie", "x=1"), ("cookie", &plain)], Some(&a)),
            (Auto, vec![("cookie", "session=")], None),
            (Auto, vec![("cookie", "session")], None),
        ] {
            assert_eq!(shown(security, &pairs).as_ref(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn two_different_ids_are_none() {
        let (a, b) = (id('a'), id('b'));
        let twice = format!("session={a}; session={a}");
        let both = format!("session={a}; session={b}");
        assert_eq!(shown(CookieSecurity::Auto, &[("cookie", &twice)]), Some(a));
        assert_eq!(shown(CookieSecurity::Auto, &[("cookie", &both)]), None);
    }

    #[test]
    fn a_cookie_is_given_for_the_way_the_request_came() {
        let cookies = Cookies::new(CookieSecurity::Auto);
        let session = SessionId::parse(&id('c')).unwrap();
        let (plain, tls) = (headers(&[]), headers(&[("x-forwarded-proto", "https")]));
        assert_eq!(
            cookies.give(&session, &plain),
            format!(
                "session={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200",
                id('c')
            )
        );
        assert_eq!(
            cookies.give(&session, &tls),
            format!(
                "__Host-session={}; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=43200",
                id('c')
            )
        );
        assert_eq!(
            cookies.take(&plain),
            "session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }

    #[test]
    fn a_cookie_of_the_name_is_seen_whatever_is_in_it() {
        let cookies = Cookies::new(CookieSecurity::Auto);
        for (text, seen) in [
            ("session=nonsense", true),
            ("a=b;session=", true),
            ("sessions=1", false),
            ("session", false),
        ] {
            assert_eq!(
                cookies.any_shown(&headers(&[("cookie", text)])),
                seen,
                "{text}"
            );
        }
    }
}
