-- Idempotency keys: what a POST answered, so that a client which never saw the answer may ask again. Written in the
-- transaction that makes the item, so that neither is ever there without the other; kept for a day.
CREATE TABLE idempotency_keys (
    key text PRIMARY KEY,
    -- SHA-256 of the request: the same key with another request is a client's mistake.
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    -- The item as it was first answered, in JSON: it may have been changed or deleted since, so this refers to no row.
    answer text NOT NULL,
    created_at timestamptz NOT NULL
);

-- For the purge, which asks by age.
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
