//! The list of variables: what `--help` prints and what is taken from the environment.

/// Every variable, with what `--help` says of it: name, default, meaning.
pub(super) const VARIABLES: &[(&str, &str, &str)] = &[
    (
        "PORT",
        "5000",
        "port to listen on (0: any free one, told in the log)",
    ),
    (
        "BIND_ADDRESS",
        "0.0.0.0",
        "address to listen on (127.0.0.1: this machine only)",
    ),
    (
        "DATA_FILE",
        "./data/api.db",
        "SQLite file used while DB_HOST is unset",
    ),
    ("DB_HOST", "", "Postgres host; unset: embedded SQLite"),
    ("DB_PORT", "5432", "Postgres port"),
    ("DB_NAME", "appdb", "database"),
    ("DB_USER", "appuser", "role"),
    ("DB_PASSWORD", "", "the role's password"),
    (
        "DB_PASSWORD_FILE",
        "",
        "file that holds it, read again for each new connection",
    ),
    (
        "DB_SSLMODE",
        "prefer",
        "disable, prefer, require, verify-ca or verify-full (the default once DB_CA_FILE is set)",
    ),
    (
        "DB_CA_FILE",
        "",
        "PEM file of authorities to trust beside the public ones",
    ),
    ("DB_POOL_SIZE", "10", "connections at most"),
    (
        "DB_ACQUIRE_TIMEOUT_MS",
        "200",
        "how long a request waits for a connection",
    ),
    (
        "DB_CONNECT_TIMEOUT_MS",
        "1000",
        "how long opening a connection may take in the background",
    ),
    (
        "DB_STATEMENT_TIMEOUT_MS",
        "800",
        "how long a statement may take",
    ),
    (
        "MIGRATE_TIMEOUT_SECONDS",
        "60",
        "how long `api migrate` waits for the database and for another migration",
    ),
    ("REDIS_HOST", "", "Redis host; unset: cache in this process"),
    ("REDIS_PORT", "6379", "Redis port"),
    ("REDIS_USER", "", "ACL user"),
    ("REDIS_PASSWORD", "", "the user's password"),
    (
        "REDIS_PASSWORD_FILE",
        "",
        "file that holds it, read again for each new connection",
    ),
    (
        "REDIS_TLS",
        "false",
        "whether to use TLS (true once REDIS_CA_FILE is set)",
    ),
    (
        "REDIS_CA_FILE",
        "",
        "PEM file of the authorities to trust instead of the system's",
    ),
    (
        "REDIS_TIMEOUT_MS",
        "50",
        "how long a command may take before it counts as a miss",
    ),
    (
        "SESSION_TTL_SECONDS",
        "1800",
        "how long a session outlives its last use",
    ),
    (
        "SESSION_COOKIE_SECURE",
        "auto",
        "whether the cookie is for TLS only: auto (X-Forwarded-Proto is https), always or never",
    ),
    (
        "MAX_BODY_BYTES",
        "65536",
        "bytes of a request's body at most",
    ),
    (
        "MAX_CONNECTIONS",
        "10000",
        "connections open at once; more are answered 503",
    ),
    (
        "HEADER_TIMEOUT_SECONDS",
        "10",
        "how long a client may take for a request's head, and for its body",
    ),
    (
        "DRAIN_DELAY_SECONDS",
        "1",
        "how long to keep accepting, unready, after SIGTERM",
    ),
    (
        "DRAIN_TIMEOUT_SECONDS",
        "10",
        "how long a stop may take in all",
    ),
    (
        "LOG_FORMAT",
        "auto",
        "auto (text on a terminal, JSON otherwise), text or json",
    ),
    (
        "LOG_LEVEL",
        "info",
        "error, warn, info, debug, trace, or directives such as info,api=debug",
    ),
];

/// The table for `--help`.
pub fn variables_help() -> String {
    let line = |&(name, default, meaning): &(&str, &str, &str)| match default {
        "" => format!("  {name:<24} {meaning}"),
        _ => format!("  {name:<24} {meaning} [{default}]"),
    };
    let lines: Vec<String> = VARIABLES.iter().map(line).collect();
    format!("Environment variables:\n{}", lines.join("\n"))
}
