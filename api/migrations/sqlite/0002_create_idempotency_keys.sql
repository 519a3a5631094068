-- Idempotency keys: what a POST answered. See the Postgres migration of the same number.
CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    answer TEXT NOT NULL,
    -- RFC 3339 in UTC, which sorts as text.
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
