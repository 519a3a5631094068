//! A request's head: what it may be, and the name the request goes by.

use super::REQUEST_ID;
use crate::error::Error;
use axum::{
    body::HttpBody,
    http::{HeaderMap, HeaderValue, Request, Version, header},
};
use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Longer addresses are nobody's.
const LONGEST_ADDRESS: usize = 8 * 1024;

/// Refuses what no route would answer, before anything is read or done for it.
pub(super) fn check<B: HttpBody>(request: &Request<B>, largest_body: usize) -> Result<(), Error> {
    let address = request.uri();
    if address.path().len() + address.query().map_or(0, str::len) > LONGEST_ADDRESS {
        return Err(Error::AddressTooLong);
    }
    if request.body().size_hint().lower() > largest_body as u64 {
        return Err(Error::BodyTooLarge);
    }
    if request.version() == Version::HTTP_11 && !names_one_host(request.headers()) {
        return Err(Error::BadRequest(
            "There must be one Host, and it must be a name".to_owned(),
        ));
    }
    Ok(())
}

/// RFC 9112 §3.2: a proxy and this server must not take one request for two different hosts.
fn names_one_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let part_of_a_name = |byte: &u8| PARTS_OF_A_NAME.get(usize::from(*byte)) == Some(&true);
    matches!(
        (hosts.next(), hosts.next()),
        (Some(host), None) if host.as_bytes().iter().all(part_of_a_name)
    )
}

/// Which bytes may stand in a host's name or address, or before its port. A table, since every request asks.
const PARTS_OF_A_NAME: [bool; 256] = {
    let mut parts = [false; 256];
    let mut rest: &[u8] = b"-._~%!$&'()*+;=:[]0123456789\
        abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    while let [byte, others @ ..] = rest {
        if let Some(part) = parts
            .as_mut_slice()
            .split_at_mut(*byte as usize)
            .1
            .first_mut()
        {
            *part = true;
        }
        rest = others;
    }
    parts
};

/// What a request is called in the log and in its answer. A client may choose it, within reason.
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The client's own, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match headers.get(REQUEST_ID) {
            Some(id) if plain(id.as_bytes()) => Self(id.clone()),
            _ => Self::new(),
        }
    }

    /// 64 bits as hexadecimal digits: unique within the process, and by chance among processes. Not a secret.
    fn new() -> Self {
        // SplitMix64: a random start, a counter, and a mixing that maps no two numbers to one.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
            let random = getrandom::u64().expect("the system has random numbers");
            AtomicU64::new(random)
        });
        let mut id = NEXT.fetch_add(STEP, Relaxed);
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        id ^= id >> 31;
        let digits: [u8; 16] = std::array::from_fn(|place| {
            let digit = (id >> (60 - 4 * place)) & 0xf;
            b"0123456789abcdef"
                .get(digit as usize)
                .copied()
                .unwrap_or(b'0')
        });
        Self(HeaderValue::from_bytes(&digits).expect("hexadecimal digits may stand in a header"))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(super) fn into_value(self) -> HeaderValue {
        self.0
    }
}

/// What a client sends ends in our logs and in its answer.
fn plain(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&id.len()) && id.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn headers(name: &header::HeaderName, values: &[&str]) -> HeaderMap {
        let values = values
            .iter()
            .map(|value| HeaderValue::from_str(value).unwrap());
        values.map(|value| (name.clone(), value)).fold(
            HeaderMap::new(),
            |mut map, (name, value)| {
                map.append(name, value);
                map
            },
        )
    }

    #[test]
    fn only_a_short_plain_request_id_is_kept() {
        for (id, kept) in [
            ("abc-123_X.9", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
        ] {
            let given = RequestId::of(&headers(&REQUEST_ID, &[id]));
            assert_eq!(given.as_str() == id, kept, "{id:?}");
            assert!(plain(given.as_str().as_bytes()));
        }
    }

    #[test]
    fn no_two_requests_are_called_the_same() {
        let ids: HashSet<String> = (0..10_000)
            .map(|_| RequestId::new().as_str().to_owned())
            .collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 16));
    }

    #[test]
    fn a_request_has_one_host_and_it_is_a_name() {
        for (hosts, good) in [
            (&["example.org"][..], true),
            (&["127.0.0.1:5000"], true),
            (&["[::1]:5000"], true),
            (&[""], true),
            (&[], false),
            (&["a", "a"], false),
            (&["a, b"], false),
            (&["a/b"], false),
            (&["a@b"], false),
            (&["a b"], false),
        ] {
            assert_eq!(
                names_one_host(&headers(&header::HOST, hosts)),
                good,
                "{hosts:?}"
            );
        }
    }
}
