-- Benchmarks whose leaks are kept out of corpora: immutable versions; the items lie in the corpus
-- store, named after their content.
CREATE TABLE benchmarks (
    name        text        NOT NULL,
    version     integer     NOT NULL CHECK (version >= 1),
    -- SHA-256 over the items as JSON lines, which is what the file below `location` holds.
    sha256      text        NOT NULL,
    items       bigint      NOT NULL CHECK (items >= 1),
    bytes       bigint      NOT NULL,
    location    text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

-- Text that somebody else wrote, as a source of corpora: immutable versions, Parquet files in the
-- corpus store.
CREATE TABLE imports (
    id               uuid        PRIMARY KEY,
    slug             text        NOT NULL,
    version          integer     NOT NULL CHECK (version >= 1),
    state            text        NOT NULL CHECK (state IN ('importing', 'ready', 'failed')),
    -- Where the bytes come from: sent with the request, a file of the operator's, or the Hub.
    kind             text        NOT NULL CHECK (kind IN ('upload', 'path', 'hub')),
    origin           jsonb       NOT NULL,
    license          text        NOT NULL,
    -- What the licence says of passing the text on: allowed, forbidden or unknown.
    redistribution   text        NOT NULL,
    source           text,
    text_column      text        NOT NULL,
    -- SHA-256 over paths and hashes of the files; empty until they are there.
    sha256           text        NOT NULL DEFAULT '',
    row_count        bigint      NOT NULL DEFAULT 0,
    text_bytes       bigint      NOT NULL DEFAULT 0,
    tokens           bigint      NOT NULL DEFAULT 0,
    files            jsonb       NOT NULL DEFAULT '[]',
    location         text        NOT NULL,
    -- What a worker has done of it, for the one that goes on when this one dies.
    progress         jsonb,
    error            text,
    lease_token      bigint,
    lease_owner      uuid,
    lease_expires_at timestamptz,
    deaths           integer     NOT NULL DEFAULT 0,
    deleting_at      timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz
);
CREATE UNIQUE INDEX imports_by_name ON imports (slug, version) WHERE deleting_at IS NULL;
-- What workers look for, which is next to nothing.
CREATE INDEX imports_open ON imports (id) WHERE state = 'importing' AND deleting_at IS NULL;
CREATE INDEX imports_deleting ON imports (id) WHERE deleting_at IS NOT NULL;
