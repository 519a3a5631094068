//! `postgresql.conf` as the user's parameters make it. [pure]

use std::collections::BTreeMap;

/// The file's name, in the `ConfigMap` and beside the scripts.
pub(super) const FILE: &str = "postgresql.conf";

/// The settings that initdb wrote, and then the user's: of two the later one counts.
///
/// A file and not the server's arguments: one that the server refuses is mended by the next start of the same pod, which
/// reads it anew, while a StatefulSet waits for a pod that will never be ready.
pub(super) fn file(pgdata: &str, parameters: &BTreeMap<String, String>) -> String {
    let head = format!(
        "# Written by the TpStack operator.\ninclude {}\n",
        quoted(&format!("{pgdata}/{FILE}"))
    );
    let lines = parameters
        .iter()
        .map(|(name, value)| format!("{name} = {}\n", quoted(value)));
    std::iter::once(head).chain(lines).collect()
}

/// In quotes, where a quote is doubled and a backslash starts an escape.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::file;

    /// Reads a file as Postgres' own scanner does: a name, perhaps an equals sign, a value in quotes, the end of the line.
    fn settings(text: &str) -> Vec<(String, String)> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let (name, rest) = line.split_once(' ').unwrap();
                let quoted = rest.trim_start_matches("= ");
                let mut inside = quoted.strip_prefix('\'').unwrap().chars().peekable();
                let mut value = String::new();
                loop {
                    match inside.next().expect("the quotes are closed") {
                        '\'' if inside.peek() == Some(&'\'') => value.extend(inside.next()),
                        '\'' => break,
                        '\\' => value.extend(inside.next()),
                        other => value.push(other),
                    }
                }
                assert_eq!(
                    inside.next(),
                    None,
                    "{line}: something stands behind the value"
                );
                (name.to_owned(), value)
            })
            .collect()
    }

    #[test]
    fn whatever_a_value_holds_it_is_one_value_of_one_setting() {
        for value in [
            "",
            "256MB",
            "it's",
            "\\",
            "\\'",
            "' # fsync = off",
            "''",
            "x\\\\''y",
            "$libdir %m",
        ] {
            let parameters = BTreeMap::from([("log_line_prefix".to_owned(), value.to_owned())]);
            assert_eq!(
                settings(&file("/data", &parameters)),
                [
                    ("include".to_owned(), "/data/postgresql.conf".to_owned()),
                    ("log_line_prefix".to_owned(), value.to_owned())
                ]
            );
        }
    }
}
