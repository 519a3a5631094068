use super::*;

fn parse(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Config::parse(&variables.iter().map(owned).collect())
}

/// The problems with these variables, one a line.
fn problems(variables: &[(&str, &str)]) -> String {
    parse(variables).unwrap_err().0.join("\n")
}

#[test]
fn nothing_set_means_embedded_engines_on_port_5000_of_every_address() {
    let config = parse(&[]).unwrap();
    assert_eq!(config.listen, "0.0.0.0:5000".parse().unwrap());
    let path = "./data/api.db".into();
    assert_eq!(config.store, StoreConfig::Embedded { path });
    assert_eq!(config.cache, CacheConfig::Memory);
    assert_eq!(config.server.drain_deadline, Duration::from_secs(10));
    assert_eq!(config.log.format, LogFormat::Auto);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let empty: Vec<_> = VARIABLES.iter().map(|(name, ..)| (*name, "")).collect();
    assert_eq!(parse(&empty), parse(&[]));
}

#[test]
fn every_default_in_the_help_is_the_default() {
    let said: Vec<_> = VARIABLES
        .iter()
        .filter(|(name, default, _)| {
            !default.is_empty() && !name.starts_with("DB_") && !name.starts_with("REDIS_")
        })
        .map(|(name, default, _)| (*name, *default))
        .collect();
    assert_eq!(parse(&said), parse(&[]));
    let with_hosts: Vec<_> = VARIABLES
        .iter()
        .filter(|(_, default, _)| !default.is_empty())
        .map(|(name, default, _)| (*name, *default))
        .chain([("DB_HOST", "d"), ("REDIS_HOST", "r")])
        .collect();
    assert_eq!(
        parse(&with_hosts),
        parse(&[("DB_HOST", "d"), ("REDIS_HOST", "r")])
    );
}

#[test]
fn the_course_environment_is_understood() {
    let config = parse(&[
        ("DB_HOST", "postgres"),
        ("DB_NAME", "appdb"),
        ("DB_USER", "appuser"),
        ("DB_PASSWORD", "apppassword"),
        ("REDIS_HOST", "redis"),
    ])
    .unwrap();
    let StoreConfig::Postgres(postgres) = config.store else {
        panic!("DB_HOST chooses Postgres");
    };
    assert_eq!((postgres.host.as_str(), postgres.port), ("postgres", 5432));
    assert_eq!(
        postgres.password,
        Password::Value(Secret::new("apppassword"))
    );
    assert_eq!(postgres.ssl_mode, SslMode::Prefer);
    assert_eq!(postgres.acquire_deadline, Duration::from_millis(200));
    assert_eq!(postgres.statement_deadline, Duration::from_millis(800));
    let CacheConfig::Redis(redis) = config.cache else {
        panic!("REDIS_HOST chooses Redis");
    };
    assert_eq!((redis.host.as_str(), redis.port), ("redis", 6379));
    assert_eq!(redis.deadline, Duration::from_millis(50));
}

#[test]
fn a_wrong_value_is_told_with_its_variable_and_what_is_allowed() {
    for (name, value, expected) in [
        (
            "PORT",
            "abc",
            r#"PORT="abc": expected a whole number from 0 to 65535"#,
        ),
        (
            "PORT",
            "65536",
            r#"PORT="65536": expected a whole number from 0 to 65535"#,
        ),
        (
            "BIND_ADDRESS",
            "localhost",
            r#"BIND_ADDRESS="localhost": expected an IP address such as 127.0.0.1 or ::"#,
        ),
        (
            "LOG_FORMAT",
            "xml",
            r#"LOG_FORMAT="xml": expected auto, text or json"#,
        ),
        (
            "LOG_LEVEL",
            "loud",
            r#"LOG_LEVEL="loud": expected error, warn, info, debug, trace, or directives such as info,api=debug"#,
        ),
        (
            "DRAIN_TIMEOUT_SECONDS",
            "-1",
            r#"DRAIN_TIMEOUT_SECONDS="-1": expected a whole number from 1 to 3600"#,
        ),
        (
            "SESSION_TTL_SECONDS",
            "59",
            r#"SESSION_TTL_SECONDS="59": expected a whole number from 60 to 86400"#,
        ),
        (
            "SESSION_COOKIE_SECURE",
            "true",
            r#"SESSION_COOKIE_SECURE="true": expected auto, always or never"#,
        ),
        (
            "MAX_BODY_BYTES",
            "1MB",
            r#"MAX_BODY_BYTES="1MB": expected a whole number from 1024 to 1048576"#,
        ),
        (
            "MAX_CONNECTIONS",
            "0",
            r#"MAX_CONNECTIONS="0": expected a whole number from 1 to 1000000"#,
        ),
    ] {
        assert_eq!(problems(&[(name, value)]), expected);
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let told = problems(&[
        ("PORT", "x"),
        ("DB_HOST", "postgres"),
        ("DB_PORT", "tcp://10.0.0.1:5432"),
        ("DB_SSLMODE", "allow"),
        ("REDIS_HOST", "redis"),
        ("REDIS_TLS", "maybe"),
    ]);
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            r#"PORT="x": expected a whole number from 0 to 65535"#,
            r#"DB_SSLMODE="allow": expected disable, prefer, require, verify-ca or verify-full"#,
            r#"DB_PORT="tcp://10.0.0.1:5432": expected a whole number from 1 to 65535 (if Kubernetes set it for a Service of that name, set enableServiceLinks: false)"#,
            r#"REDIS_TLS="maybe": expected true or false"#,
        ]
    );
}

#[test]
fn a_password_and_its_file_together_are_refused_without_showing_either() {
    let told = problems(&[
        ("DB_HOST", "d"),
        ("DB_PASSWORD", "hunter2"),
        ("DB_PASSWORD_FILE", "/nowhere"),
        ("REDIS_HOST", "r"),
        ("REDIS_PASSWORD", "hunter2"),
        ("REDIS_PASSWORD_FILE", "/nowhere"),
    ]);
    assert_eq!(
        told,
        "DB_PASSWORD and DB_PASSWORD_FILE are both set: keep one\n\
         REDIS_PASSWORD and REDIS_PASSWORD_FILE are both set: keep one"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_at_start() {
    for (host, file) in [
        ("DB_HOST", "DB_PASSWORD_FILE"),
        ("DB_HOST", "DB_CA_FILE"),
        ("REDIS_HOST", "REDIS_PASSWORD_FILE"),
        ("REDIS_HOST", "REDIS_CA_FILE"),
    ] {
        let told = problems(&[(host, "h"), (file, "/nowhere/file")]);
        assert!(
            told.starts_with(&format!("{file}: cannot read /nowhere/file: ")),
            "{told}"
        );
    }
}

#[test]
fn half_a_dependency_is_refused_rather_than_replaced_by_the_embedded_one() {
    assert_eq!(
        problems(&[("DB_NAME", "appdb"), ("REDIS_PASSWORD", "hunter2")]),
        "DB_NAME is set but DB_HOST is not: set DB_HOST, or unset DB_NAME to use the embedded store\n\
         REDIS_PASSWORD is set but REDIS_HOST is not: set REDIS_HOST, or unset REDIS_PASSWORD to use the cache in this process"
    );
}

#[test]
fn a_ca_file_turns_verification_on_and_refuses_to_be_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let config = parse(&[
        ("DB_HOST", "d"),
        ("DB_CA_FILE", file),
        ("REDIS_HOST", "r"),
        ("REDIS_CA_FILE", file),
    ])
    .unwrap();
    assert!(
        matches!(config.store, StoreConfig::Postgres(postgres) if postgres.ssl_mode == SslMode::VerifyFull)
    );
    assert!(matches!(config.cache, CacheConfig::Redis(redis) if redis.tls.is_some()));
    let told = problems(&[
        ("DB_HOST", "d"),
        ("DB_CA_FILE", file),
        ("DB_SSLMODE", "require"),
        ("REDIS_HOST", "r"),
        ("REDIS_CA_FILE", file),
        ("REDIS_TLS", "false"),
    ]);
    assert!(told.contains("DB_SSLMODE checks no certificate"), "{told}");
    assert!(told.contains("REDIS_TLS is false"), "{told}");
}

#[test]
fn no_secret_is_in_the_debug_form() {
    let config = parse(&[
        ("DB_HOST", "d"),
        ("DB_PASSWORD", "hunter2"),
        ("REDIS_HOST", "r"),
        ("REDIS_PASSWORD", "hunter2"),
    ])
    .unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn sessions_bodies_and_connections_have_bounds_that_can_be_moved() {
    let config = parse(&[]).unwrap();
    assert_eq!(config.sessions.ttl, Duration::from_mins(30));
    assert_eq!(config.sessions.secure, CookieSecurity::Auto);
    assert_eq!(config.server.largest_body, 64 * 1024);
    assert_eq!(config.server.connections, 10_000);
    let moved = parse(&[
        ("SESSION_TTL_SECONDS", "60"),
        ("SESSION_COOKIE_SECURE", "always"),
        ("MAX_BODY_BYTES", "1024"),
        ("MAX_CONNECTIONS", "1"),
        ("DB_HOST", "d"),
        ("MIGRATE_TIMEOUT_SECONDS", "5"),
    ])
    .unwrap();
    assert_eq!(moved.sessions.ttl, Duration::from_mins(1));
    assert_eq!(moved.sessions.secure, CookieSecurity::Always);
    assert_eq!(moved.server.largest_body, 1024);
    assert_eq!(moved.server.connections, 1);
    let migrate = |config: Config| match config.store {
        StoreConfig::Postgres(postgres) => Some(postgres.migrate_deadline),
        StoreConfig::Embedded { .. } => None,
    };
    assert_eq!(migrate(moved), Some(Duration::from_secs(5)));
}

#[test]
fn tracing_directives_are_taken() {
    for filter in ["warn", "info,api=debug", "api::store=trace"] {
        assert_eq!(parse(&[("LOG_LEVEL", filter)]).unwrap().log.filter, filter);
    }
}
