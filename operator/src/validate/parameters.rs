//! Rules of `spec.postgres.parameters`. [pure]

use std::collections::BTreeMap;

use super::Check;
use crate::crd::RESERVED_PARAMETERS;

const FIELD: &str = "spec.postgres.parameters";

/// Checks names and values; what a setting means is left to the server.
pub(super) fn check(parameters: &BTreeMap<String, String>, check: &mut Check) {
    check.that(
        parameters.len() <= 50,
        FIELD,
        "must have at most 50 entries",
    );
    check.that(
        parameters.keys().all(|name| is_name(name)),
        FIELD,
        "must be named as in postgresql.conf, in lower-case letters, digits and '_'",
    );
    let is_value =
        |value: &String| value.len() <= 200 && value.bytes().all(|b| (b' '..=b'~').contains(&b));
    check.that(
        parameters.values().all(is_value),
        FIELD,
        "must have values of at most 200 characters in printable ASCII",
    );
    for name in parameters.keys().filter(|name| is_reserved(name)) {
        check.that(
            false,
            &format!("{FIELD}[{name}]"),
            "is depended on by the operator, runs commands or loads libraries, or gives up the safety of data: remove it",
        );
    }
}

/// A setting of the server, or of an extension with a dot.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        (1..=63).contains(&word.len())
            && word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    match name.split_once('.') {
        Some((extension, name)) => is_word(extension) && is_word(name),
        None => is_word(name),
    }
}

fn is_reserved(name: &str) -> bool {
    let families = ["ssl_", "unix_socket_", "recovery_target"];
    RESERVED_PARAMETERS.contains(&name) || families.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Check, check};

    fn refused(name: &str, value: &str) -> bool {
        let mut found = Check::default();
        let parameters = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        check(&parameters, &mut found);
        !found.violations.is_empty()
    }

    #[test]
    fn settings_and_those_of_extensions_are_taken() {
        for (name, value) in [
            ("max_connections", "200"),
            ("shared_buffers", "256MB"),
            ("log_line_prefix", "%m [%p] '\\ $x "),
            ("pg_stat_statements.max", "1000"),
            ("work_mem", ""),
        ] {
            assert!(!refused(name, value), "{name} = {value}");
        }
    }

    #[test]
    fn what_ends_a_line_or_is_no_name_is_refused() {
        for (name, value) in [
            ("work_mem", "1MB\nfsync = off"),
            ("work_mem", "1MB\r"),
            ("work_mem", "\u{e9}"),
            ("work_mem", &"1".repeat(201)),
            ("work_mem = '1'", "x"),
            ("Work_Mem", "1MB"),
            ("a.b.c", "x"),
            (".a", "x"),
            ("", "x"),
            (&"a".repeat(64), "x"),
        ] {
            assert!(refused(name, value), "{name} = {value}");
        }
    }

    #[test]
    fn what_would_take_the_server_out_of_our_hands_is_refused() {
        for name in [
            "include",
            "data_directory",
            "archive_command",
            "ssl_cert_file",
            "unix_socket_directories",
            "recovery_target_time",
            "fsync",
        ] {
            assert!(refused(name, "x"), "{name}");
        }
    }
}
