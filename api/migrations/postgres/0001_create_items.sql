-- Items: what users entrust to the API, and what backups protect.
--
-- Ids are UUIDv7, made by the API: their order is the order of creation, so the primary key serves keyset pagination too.
-- Times are the API's as well, so that both engines keep them with the same precision. Limits on lengths are the API's
-- contract, not the table's: they can be loosened without a migration.
CREATE TABLE items (
    id uuid PRIMARY KEY,
    -- Counts the item's contents, from 1: the ETag.
    version bigint NOT NULL CHECK (version > 0),
    name text NOT NULL,
    description text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
