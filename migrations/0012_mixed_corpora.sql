-- Corpora mixed from several jobs and imports.

CREATE TABLE mixed_corpora (
    id               uuid        PRIMARY KEY,
    name             text        NOT NULL,
    state            text        NOT NULL CHECK (state IN ('queued', 'assembling', 'ready', 'failed')),
    -- As submitted, with every source named and every reference pinned.
    spec             jsonb       NOT NULL,
    error_code       text,
    error_message    text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    finished_at      timestamptz,
    -- Goes up with every change; a long poll waits on it.
    revision         bigint      NOT NULL DEFAULT 1,
    deleting_at      timestamptz,
    -- As for jobs: wanted while request > done; `claimed` is the request that the lease serves.
    assembly_request integer     NOT NULL DEFAULT 1,
    assembly_claimed integer     NOT NULL DEFAULT 0,
    assembly_done    integer     NOT NULL DEFAULT 0,
    assembly_deaths  integer     NOT NULL DEFAULT 0,
    assembly_token   bigint,
    assembly_owner   uuid,
    assembly_expires_at timestamptz,
    -- The revision that `main` names.
    corpus_id        bigint
);

CREATE INDEX mixed_corpora_assembly ON mixed_corpora (id) WHERE assembly_request > assembly_done;
CREATE INDEX mixed_corpora_deleting ON mixed_corpora (id) WHERE deleting_at IS NOT NULL;

-- A revision belongs to a job or to a mixed corpus.
ALTER TABLE corpora ALTER COLUMN job_id DROP NOT NULL;
ALTER TABLE corpora ADD COLUMN mixed_id uuid REFERENCES mixed_corpora (id);
ALTER TABLE corpora ADD CONSTRAINT corpora_one_owner CHECK (num_nonnulls(job_id, mixed_id) = 1);
ALTER TABLE corpora ADD UNIQUE (mixed_id, commit_id);
ALTER TABLE corpora ADD UNIQUE (mixed_id, revision);
