use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

fn read(body: &[u8]) -> Result<Fields, Error> {
    Fields::read(&headers(&[("content-type", "application/json")]), body)
}

/// The problems as `field: message` lines.
fn problems(error: &Error) -> Vec<String> {
    match error {
        Error::Invalid(problems) => problems
            .iter()
            .map(|problem| format!("{}: {}", problem.field, problem.message))
            .collect(),
        other => vec![other.to_string()],
    }
}

#[test]
fn only_json_in_utf_8_is_read() {
    for (content_type, taken) in [
        ("application/json", true),
        ("Application/JSON ; Charset=\"UTF-8\"", true),
        ("application/json;charset=utf8; x=y", true),
        ("application/json; charset=latin1", false),
        ("application/jsonx", false),
        ("text/json", false),
        ("text/plain", false),
        ("", false),
    ] {
        let headers = headers(&[("content-type", content_type)]);
        assert_eq!(is_json(&headers), taken, "{content_type:?}");
    }
    assert!(!is_json(&headers(&[])));
    let coded = |coding| {
        headers(&[
            ("content-type", "application/json"),
            ("content-encoding", coding),
        ])
    };
    assert!(is_json(&coded("identity")));
    assert!(!is_json(&coded("gzip")));
}

#[test]
fn what_is_not_json_is_told_where() {
    for body in [
        &b""[..],
        b"{",
        b"{\"name\":\"x\"} x",
        b"{name:1}",
        b"\xff",
        b"{\"name\":\"\xff\"}",
        b"{\"name\":\"\\ud800\"}",
        b"{\"name\":\"\x01\"}",
        b"{\"a\":[1,}",
        b"\xef\xbb\xbf{}",
        b"{\"a\":01}",
    ] {
        let error = read(body).unwrap_err();
        let Error::BadRequest(detail) = &error else {
            panic!("{}: {error}", body.escape_ascii());
        };
        assert!(detail.contains("line 1, column"), "{detail}");
    }
}

#[test]
fn what_is_no_object_is_told_as_what_it_is() {
    for (body, kind) in [
        ("null", "null"),
        ("true", "a boolean"),
        ("-1", "a number"),
        ("1", "a number"),
        ("1.5", "a number"),
        ("\"x\"", "a string"),
        ("[{}]", "a list"),
    ] {
        let error = read(body.as_bytes()).unwrap_err();
        assert_eq!(
            problems(&error),
            [format!(": expected an object, not {kind}")]
        );
    }
}

#[test]
fn fields_are_taken_and_the_rest_is_unknown() {
    let mut fields =
        read(br#"{"b":1,"name":"x","list":[[1],{}],"a":null,"b":2,"text":"\u00e9"}"#).unwrap();
    assert_eq!(fields.take("name"), Some(Value::Text("x".into())));
    assert_eq!(fields.take("list"), Some(Value::Other("a list")));
    assert_eq!(fields.take("text"), Some(Value::Text("é".into())));
    assert_eq!(fields.take("absent"), None);
    let error = fields.finish((), &["name", "list"]).unwrap_err();
    assert_eq!(
        problems(&error),
        [
            "a: is unknown; known: name, list",
            "b: is unknown; known: name, list"
        ]
    );
}

#[test]
fn a_field_given_twice_is_a_problem_of_its_own() {
    let mut fields = read(br#"{"name":"x","name":"y","name":"z"}"#).unwrap();
    fields.take("name");
    assert_eq!(
        problems(&fields.finish((), &["name"]).unwrap_err()),
        ["name: is given twice"]
    );
}

#[test]
fn an_answer_about_a_hostile_body_stays_small() {
    let names: Vec<String> = (0..5000)
        .map(|n| format!("\"{n}{}\":0", "x".repeat(200)))
        .collect();
    let fields = read(format!("{{{}}}", names.join(",")).as_bytes()).unwrap();
    let told = problems(&fields.finish((), &[]).unwrap_err());
    assert_eq!(told.len(), MOST_PROBLEMS + 1);
    assert_eq!(told.last().unwrap(), ": has 4980 more problems");
    assert!(told.iter().all(|line| line.len() < 100), "{told:?}");
}

#[test]
fn depth_costs_nothing() {
    let depth = 30_000;
    let body = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    // Whether it is refused for its depth or for its field: it is refused, and the stack holds.
    let refused = read(body.as_bytes()).and_then(|fields| fields.finish((), &[]));
    assert!(refused.is_err());
}
