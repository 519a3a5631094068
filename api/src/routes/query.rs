//! Query strings: what a route does not know, or is told twice, is a mistake to tell rather than to ignore.

use crate::error::Error;
use axum::{extract::Query, http::Uri};

/// The values of the `allowed` parameters, in their order.
pub(super) fn parameters<const N: usize>(
    uri: &Uri,
    allowed: [&str; N],
) -> Result<[Option<String>; N], Error> {
    let refuse = |what: String| Error::BadRequest(format!("{what}; {}", allowance(&allowed)));
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| refuse("The query string cannot be read".to_owned()))?;
    let mut values = [const { None }; N];
    for (name, value) in pairs {
        let known = allowed
            .iter()
            .zip(&mut values)
            .find(|(one, _)| **one == name);
        let Some((_, slot)) = known else {
            return Err(refuse(
                "The query string has an unknown parameter".to_owned(),
            ));
        };
        if slot.replace(value).is_some() {
            return Err(refuse(format!("The parameter {name} is given twice")));
        }
    }
    Ok(values)
}

/// For a route that takes no parameter.
pub(super) fn none(uri: &Uri) -> Result<(), Error> {
    parameters(uri, []).map(|[]| ())
}

fn allowance(allowed: &[&str]) -> String {
    match allowed {
        [] => "this route takes none".to_owned(),
        _ => format!("allowed, once each: {}", allowed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &'static str) -> Result<[Option<String>; 2], String> {
        parameters(&Uri::from_static(uri), ["limit", "after"]).map_err(|error| match error {
            Error::BadRequest(detail) => detail,
            other => other.to_string(),
        })
    }

    #[test]
    fn each_parameter_is_known_and_comes_once() {
        let some = |text: &str| Some(text.to_owned());
        for (uri, expected) in [
            ("/x", Ok([None, None])),
            ("/x?", Ok([None, None])),
            ("/x?limit=5", Ok([some("5"), None])),
            ("/x?after=a%20b&limit=", Ok([some(""), some("a b")])),
            (
                "/x?limit=1&limit=1",
                Err("The parameter limit is given twice; allowed, once each: limit, after".into()),
            ),
            (
                "/x?offset=1",
                Err(
                    "The query string has an unknown parameter; allowed, once each: limit, after"
                        .into(),
                ),
            ),
        ] {
            assert_eq!(read(uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_route_without_parameters_takes_none() {
        assert!(none(&"/x".parse().unwrap()).is_ok());
        assert!(none(&"/x?a".parse().unwrap()).is_err());
    }
}
