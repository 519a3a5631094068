//! What a name, a key or a quantity looks like: each function says what its rule in `crd` says. [pure]

use std::net::IpAddr;

use crate::crd::MAX_NAME_LENGTH;

/// Name of a TpStack: children are named after it.
pub(super) fn is_name(name: &str) -> bool {
    is_label(name) && name.len() <= MAX_NAME_LENGTH && name.starts_with(lower)
}

/// A host name: labels of DNS, in lower case.
pub(super) fn is_host(host: &str) -> bool {
    host.len() <= 253 && host.split('.').all(is_label)
}

/// Name of a Secret or a storage class: as a host name, but its labels may be longer.
pub(crate) fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_word)
}

/// Name of an entry point or a certificate resolver in Traefik's own configuration.
pub(super) fn is_traefik_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(alphanumeric)
        && name.chars().all(|c| alphanumeric(c) || "-_".contains(c))
}

/// Reference of an image: printable ASCII without a space, since nothing else is ever pulled.
pub(super) fn is_image(image: &str) -> bool {
    (1..=512).contains(&image.len()) && image.chars().all(|c| c.is_ascii_graphic())
}

/// Name of an environment variable, as every supported Kubernetes takes it.
pub(super) fn is_variable(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit() || "-.".contains(c))
        && name.chars().all(|c| alphanumeric(c) || "-._".contains(c))
}

/// Key of a Secret or a ConfigMap.
pub(super) fn is_key(key: &str) -> bool {
    (1..=253).contains(&key.len()) && key.chars().all(|c| alphanumeric(c) || "-._".contains(c))
}

/// Key of a label: a name, and a host name with a slash before it if need be.
pub(super) fn is_label_key(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(is_subdomain)
}

/// Value of a label.
pub(super) fn is_label_value(value: &str) -> bool {
    value.is_empty()
        || (value.len() <= 63
            && value.starts_with(alphanumeric)
            && value.ends_with(alphanumeric)
            && value.chars().all(|c| alphanumeric(c) || "-._".contains(c)))
}

/// Name of a label of Prometheus' series.
pub(super) fn is_series_label(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| alphanumeric(c) || c == '_')
}

/// Name of a database that needs no quotes.
pub(super) fn is_database(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.starts_with(|c| lower(c) || c == '_')
        && name
            .chars()
            .all(|c| lower(c) || c.is_ascii_digit() || c == '_')
}

/// Name of a cookie, and none that the API uses itself.
pub(super) fn is_cookie(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.starts_with(|c| alphanumeric(c) || c == '_')
        && name.chars().all(|c| alphanumeric(c) || "-_".contains(c))
        && !["session", "__Host-session"].contains(&name)
}

/// An IPv4 or IPv6 address, or a range in CIDR notation, as Go reads them and so Traefik does.
pub(super) fn is_address_range(text: &str) -> bool {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (2..=49).contains(&text.len())
        && prefix.is_none_or(|prefix| {
            let digits = prefix.chars().all(|c| c.is_ascii_digit());
            digits && prefix.parse::<u32>().is_ok_and(|bits| bits <= longest)
        })
}

/// A pause between two attempts: milliseconds or seconds.
pub(super) fn is_short_interval(text: &str) -> bool {
    let (number, unit) = split_number(text);
    (1..=4).contains(&number.len()) && !number.starts_with('0') && ["ms", "s"].contains(&unit)
}

/// Time between two scrapes, or a span, as Prometheus and Traefik write it.
pub(super) fn is_interval(text: &str) -> bool {
    let (number, unit) = split_number(text);
    (1..=6).contains(&number.len())
        && !number.starts_with('0')
        && ["ms", "s", "m", "h"].contains(&unit)
}

/// A URL without a query, of nothing that a template or a page would take for more than text.
pub(super) fn is_plain_url(url: &str) -> bool {
    let Some(rest) = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
    else {
        return false;
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    url.len() <= 255
        && host.starts_with(alphanumeric)
        && host.chars().all(|c| alphanumeric(c) || "-.".contains(c))
        && port.is_none_or(|port| {
            (1..=5).contains(&port.len()) && port.chars().all(|c| c.is_ascii_digit())
        })
        && path.chars().all(|c| alphanumeric(c) || "-._~/".contains(c))
}

/// An amount of CPU or memory as Kubernetes writes it, without a sign: `50m`, `1.5Gi`, `1e3`.
pub(super) fn is_quantity(text: &str) -> bool {
    let (whole, rest) = split_number(text);
    let (fraction, unit) = match rest.strip_prefix('.') {
        Some(rest) => split_number(rest),
        None => ("", rest),
    };
    let exponent = |unit: &str| {
        unit.strip_prefix(['e', 'E']).is_some_and(|power| {
            let (digits, rest) = split_number(power.strip_prefix(['+', '-']).unwrap_or(power));
            (1..=2).contains(&digits.len()) && rest.is_empty()
        })
    };
    let units = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    text.len() <= 32
        && !(whole.is_empty() && fraction.is_empty())
        && (units.contains(&unit) || exponent(unit))
}

/// A share of something: `0%` to `100%`, without leading zeros.
pub(super) fn is_percentage(text: &str) -> bool {
    text.strip_suffix('%').is_some_and(|number| {
        let is_plain = number == "0" || !number.starts_with('0');
        let is_number = (1..=3).contains(&number.len()) && split_number(number).1.is_empty();
        is_plain && is_number && number.parse().is_ok_and(|number: u16| number <= 100)
    })
}

/// Path of a request: a slash, and visible ASCII after it.
pub(super) fn is_path(path: &str) -> bool {
    path.len() <= 1024 && path.starts_with('/') && path.chars().all(|c| c.is_ascii_graphic())
}

/// The digits that a text starts with, and the rest.
fn split_number(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

/// One label of DNS, in lower case: also what a namespace is called.
pub(super) fn is_label(label: &str) -> bool {
    label.len() <= 63 && is_word(label)
}

/// Lower-case letters, digits and `-`, with a letter or a digit at both ends.
fn is_word(word: &str) -> bool {
    let end = |c: char| lower(c) || c.is_ascii_digit();
    word.starts_with(end) && word.ends_with(end) && word.chars().all(|c| end(c) || c == '-')
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase()
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::{
        is_address_range, is_cookie, is_image, is_label_key, is_path, is_percentage, is_plain_url,
        is_quantity, is_short_interval, is_subdomain, is_variable,
    };

    fn check(is: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(is(text), "{text:?}");
        }
        for text in bad {
            assert!(!is(text), "{text:?}");
        }
    }

    #[test]
    fn quantities_are_kubernetes_own_without_a_sign() {
        let good = [
            "2", "50m", "1.5Gi", "1.", ".5", "1e3", "1E-2", "1E", "0", "12Ei",
        ];
        let bad = [
            "", ".", "m", "-1", "+1", "1 Gi", "1Kb", "1e", "1e999", "1.2.3", "1mi", "１",
        ];
        check(is_quantity, &good, &bad);
        assert!(!is_quantity(&"1".repeat(33)));
    }

    #[test]
    fn names_of_secrets_and_classes_have_no_empty_part() {
        check(
            is_subdomain,
            &["a", "a.b", "1-2.x"],
            &["", ".", "a..b", "-a", "a-.b", "A", "a_b"],
        );
        assert!(is_subdomain(&"a".repeat(253)) && !is_subdomain(&"a".repeat(254)));
    }

    #[test]
    fn variables_are_those_of_every_supported_kubernetes() {
        check(
            is_variable,
            &["A", "_", "a.b-c", "LOG_LEVEL"],
            &["", "1A", ".a", "-a", "A=B", "Ä", "A B"],
        );
    }

    #[test]
    fn addresses_are_those_that_traefik_can_read() {
        let good = [
            "192.0.2.1",
            "192.0.2.0/24",
            "0.0.0.0/0",
            "10.0.0.0/08",
            "::",
            "::1",
            "2001:db8::/32",
            "2001:DB8::1/128",
            "::ffff:192.0.2.1",
        ];
        let bad = [
            "",
            "192.0.2",
            "192.0.2.01",
            "192.0.2.256",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "192.0.2.0/24/8",
            " 192.0.2.1",
            "192.0.2.1:80",
            "fe80::1%eth0",
            "2001:db8::/129",
            "[::1]",
            "localhost",
            "*",
        ];
        check(is_address_range, &good, &bad);
    }

    #[test]
    fn cookies_are_plain_and_none_of_the_apis_own() {
        let good = ["shop", "_a", "__Secure-shop", "A-1"];
        let bad = [
            "",
            "-a",
            "a b",
            "a;b",
            "a=b",
            "é",
            "session",
            "__Host-session",
        ];
        check(is_cookie, &good, &bad);
    }

    #[test]
    fn pauses_are_short() {
        let good = ["1ms", "50ms", "9999s"];
        let bad = ["", "ms", "0ms", "050ms", "1m", "10000ms", "1.5s", "-1s"];
        check(is_short_interval, &good, &bad);
    }

    #[test]
    fn keys_of_labels_may_have_one_prefix() {
        let good = ["release", "example.org/release", "A_b.c"];
        let bad = [
            "",
            "/",
            "a/",
            "/a",
            "a/b/c",
            "Example.org/a",
            "-a",
            "a-",
            "é",
        ];
        check(is_label_key, &good, &bad);
    }

    #[test]
    fn urls_of_runbooks_are_text_and_nothing_more() {
        let good = [
            "https://a",
            "http://wiki.example.org:8080/r/",
            "https://a/~b//c-d_e.f",
        ];
        let bad = [
            "",
            "https://",
            "https:///a",
            "ftp://a",
            "https://a:",
            "https://a:123456",
            "https://a/?q",
            "https://a/#b",
            "https://u@a",
            "https://a/{{ $value }}",
            "https://a/ b",
            "https://a/\n",
            "https://-a",
            "https://é",
        ];
        check(is_plain_url, &good, &bad);
    }

    #[test]
    fn shares_are_whole_percent_up_to_all() {
        check(
            is_percentage,
            &["0%", "1%", "25%", "99%", "100%"],
            &[
                "", "%", "25", "101%", "050%", "00%", "-1%", "1.5%", "25 %", "１%",
            ],
        );
    }

    #[test]
    fn paths_start_with_a_slash_and_have_no_spaces() {
        check(
            is_path,
            &["/", "/health", "/a?b=c#d"],
            &["", "health", "/a b", "/a\n", "/é", "http://a/"],
        );
        assert!(!is_path(&format!("/{}", "a".repeat(1024))));
    }

    #[test]
    fn images_are_ascii_without_spaces() {
        let good = ["shop", "registry.example.org:5000/shop:1.4@sha256:ab"];
        check(
            is_image,
            &good,
            &["", "a b", "a\n", "a\u{a0}", "shöp", "a\0"],
        );
    }
}
