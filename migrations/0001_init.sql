-- Hornbook's tables. The story that they tell is in docs/DATA_MODEL.md.
-- Lengths of time are on this server's clock; counts are of documents; tokens are the endpoints' own figures.

-- Catalog -------------------------------------------------------------------------------------

CREATE TABLE audiences (
    slug        text        NOT NULL,
    version     integer     NOT NULL CHECK (version >= 1),
    rank        smallint,
    spec        jsonb       NOT NULL,
    origin      text        NOT NULL CHECK (origin IN ('builtin', 'user')),
    sha256      text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (slug, version)
);

CREATE TABLE templates (
    slug        text        NOT NULL,
    version     integer     NOT NULL CHECK (version >= 1),
    format      text        NOT NULL,
    output      text        NOT NULL,
    body        text        NOT NULL,
    description text,
    origin      text        NOT NULL CHECK (origin IN ('builtin', 'user')),
    sha256      text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (slug, version)
);

CREATE TABLE seed_sets (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug        text        NOT NULL,
    version     integer     NOT NULL CHECK (version >= 1),
    license     text        NOT NULL,
    source      text,
    count       bigint      NOT NULL DEFAULT 0,
    fields      jsonb       NOT NULL DEFAULT '{}',
    origin      text        NOT NULL CHECK (origin IN ('builtin', 'user')),
    sha256      text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (slug, version)
);

CREATE TABLE seeds (
    seed_set_id bigint NOT NULL REFERENCES seed_sets (id) ON DELETE CASCADE,
    seq         bigint NOT NULL,
    data        jsonb  NOT NULL,
    PRIMARY KEY (seed_set_id, seq)
);

-- What of the built-in catalog was loaded, so that each changed file becomes one version, once.
CREATE TABLE catalog_loaded (
    kind        text        NOT NULL CHECK (kind IN ('audience', 'template', 'seed_set')),
    slug        text        NOT NULL,
    sha256      text        NOT NULL,
    loaded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, slug)
);

-- Endpoints -----------------------------------------------------------------------------------

CREATE TABLE endpoints (
    id          uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    name        text        NOT NULL UNIQUE,
    kind        text        NOT NULL,
    base_url    text        NOT NULL,
    model       text        NOT NULL,
    limits      jsonb       NOT NULL,
    price       jsonb       NOT NULL,
    options     jsonb       NOT NULL,
    -- XChaCha20-Poly1305: 24 bytes of nonce, then the ciphertext, bound to `id`.
    secret      bytea,
    state       text        NOT NULL,
    message     text,
    -- {model, sha256, instruction_set} of the local engine that was loaded last, for manifests.
    provenance  jsonb,
    revision    bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

-- Jobs ----------------------------------------------------------------------------------------

CREATE SEQUENCE lease_tokens AS bigint;

CREATE TABLE jobs (
    id                 uuid        PRIMARY KEY,
    name               text        NOT NULL,
    state              text        NOT NULL CHECK (state IN ('queued', 'running', 'paused', 'cancelling',
                                   'assembling', 'succeeded', 'succeeded_with_errors', 'cancelled', 'failed')),
    spec               jsonb       NOT NULL,
    endpoints          text[]      NOT NULL,
    priority           integer     NOT NULL,
    total              bigint      NOT NULL CHECK (total > 0),
    -- The first prompt that no chunk covers yet, and the number that the next chunk gets.
    next_seq           bigint      NOT NULL DEFAULT 0 CHECK (next_seq <= total),
    next_chunk         bigint      NOT NULL DEFAULT 0,
    -- Sums over the chunks that are done; open chunks hold their own.
    accepted           bigint      NOT NULL DEFAULT 0 CHECK (accepted >= 0),
    rejected           bigint      NOT NULL DEFAULT 0 CHECK (rejected >= 0),
    failed             bigint      NOT NULL DEFAULT 0 CHECK (failed >= 0),
    prompt_tokens      bigint      NOT NULL DEFAULT 0,
    completion_tokens  bigint      NOT NULL DEFAULT 0,
    cached_tokens      bigint      NOT NULL DEFAULT 0,
    usd                double precision NOT NULL DEFAULT 0,
    error_code         text,
    error_message      text,
    created_at         timestamptz NOT NULL DEFAULT now(),
    started_at         timestamptz,
    finished_at        timestamptz,
    last_claimed_at    timestamptz,
    last_progress_at   timestamptz,
    -- Number of the newest event; doubles as the revision that a long poll waits on.
    last_event         bigint      NOT NULL DEFAULT 0,
    deleting_at        timestamptz,
    -- An assembly is wanted while request > done; `claimed` is the request that the lease serves.
    assembly_spec      jsonb,
    assembly_request   integer     NOT NULL DEFAULT 0,
    assembly_claimed   integer     NOT NULL DEFAULT 0,
    assembly_done      integer     NOT NULL DEFAULT 0,
    assembly_deaths    integer     NOT NULL DEFAULT 0,
    assembly_token     bigint,
    assembly_owner     uuid,
    assembly_expires_at timestamptz,
    -- The corpus revision that `main` names.
    corpus_id          bigint
) WITH (fillfactor = 70);

CREATE INDEX jobs_open ON jobs (priority DESC, id)
    WHERE state IN ('queued', 'running', 'paused', 'cancelling', 'assembling');
CREATE INDEX jobs_assembly ON jobs (id) WHERE assembly_request > assembly_done;
CREATE INDEX jobs_deleting ON jobs (id) WHERE deleting_at IS NOT NULL;

CREATE TABLE job_chunks (
    job_id             uuid        NOT NULL REFERENCES jobs (id),
    chunk              bigint      NOT NULL,
    lo                 bigint      NOT NULL,
    hi                 bigint      NOT NULL CHECK (hi > lo),
    state              text        NOT NULL CHECK (state IN ('leased', 'requeued', 'done')),
    -- How often a retry has requeued it, and how many owners died in a row without storing anything.
    attempt            integer     NOT NULL DEFAULT 0,
    deaths             integer     NOT NULL DEFAULT 0,
    lease_token        bigint,
    lease_owner        uuid,
    lease_expires_at   timestamptz,
    accepted           bigint      NOT NULL DEFAULT 0,
    rejected           bigint      NOT NULL DEFAULT 0,
    failed             bigint      NOT NULL DEFAULT 0,
    prompt_tokens      bigint      NOT NULL DEFAULT 0,
    completion_tokens  bigint      NOT NULL DEFAULT 0,
    cached_tokens      bigint      NOT NULL DEFAULT 0,
    usd                double precision NOT NULL DEFAULT 0,
    -- {"audience format verdict reason": [documents, completion tokens]}
    cells              jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (job_id, chunk),
    CHECK ((state = 'leased') = (lease_token IS NOT NULL)),
    CHECK (accepted + rejected + failed <= hi - lo)
) WITH (fillfactor = 70);

CREATE INDEX job_chunks_open ON job_chunks (job_id, chunk) WHERE state <> 'done';
CREATE UNIQUE INDEX job_chunks_lease ON job_chunks (lease_token) WHERE state = 'leased';
CREATE INDEX job_chunks_failed ON job_chunks (job_id, chunk) WHERE state = 'done' AND failed > 0;

-- What a dashboard reads in place of counting documents: sums over the chunks that are done.
CREATE TABLE job_cells (
    job_id      uuid   NOT NULL,
    audience    text   NOT NULL,
    format      text   NOT NULL,
    verdict     text   NOT NULL,
    reason      text   NOT NULL,
    count       bigint NOT NULL,
    tokens      bigint NOT NULL,
    PRIMARY KEY (job_id, audience, format, verdict, reason)
);

-- One message per kind of error, as an example; how many there are is in the cells.
CREATE TABLE job_errors (
    job_id      uuid   NOT NULL,
    code        text   NOT NULL,
    message     text   NOT NULL,
    PRIMARY KEY (job_id, code)
);

CREATE TABLE job_events (
    job_id      uuid        NOT NULL,
    seq         bigint      NOT NULL,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    data        jsonb       NOT NULL,
    PRIMARY KEY (job_id, seq)
);
CREATE INDEX job_events_progress ON job_events (job_id, at) WHERE kind = 'progress';

-- Documents -----------------------------------------------------------------------------------

-- No foreign key: it would take a lock on the job for every group of documents.
CREATE TABLE documents (
    job_id            uuid        NOT NULL,
    seq               bigint      NOT NULL,
    seed_seq          bigint      NOT NULL,
    sampling_seed     bigint      NOT NULL,
    prompt_tokens     bigint      NOT NULL,
    completion_tokens bigint      NOT NULL,
    cached_tokens     bigint      NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    latency_ms        bigint      NOT NULL,
    audience_version  integer     NOT NULL,
    template_version  integer     NOT NULL,
    verdict           text        NOT NULL,
    reason            text,
    audience          text        NOT NULL,
    template          text        NOT NULL,
    format            text        NOT NULL,
    endpoint          text        NOT NULL,
    model             text        NOT NULL,
    finish_reason     text        NOT NULL,
    error             text,
    -- json, not jsonb: kept as it came, and cheaper to store and to read whole.
    scores            json        NOT NULL,
    seed_data         json        NOT NULL,
    prompt            text        NOT NULL,
    text              text        NOT NULL,
    PRIMARY KEY (job_id, seq),
    CHECK (verdict IN ('accepted', 'rejected', 'failed'))
) PARTITION BY HASH (job_id);

DO $$
BEGIN
    FOR part IN 0..15 LOOP
        EXECUTE format(
            'CREATE TABLE documents_%s PARTITION OF documents FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
            lpad(part::text, 2, '0'), part);
    END LOOP;
END
$$;

-- Few rows are not accepted, and those are the ones that people look for.
CREATE INDEX documents_refused ON documents (job_id, verdict, seq) WHERE verdict <> 'accepted';

-- Stores one group of finished documents of one chunk, fenced by the chunk's lease token, and adds
-- them to the chunk's counts. Gives the number of rows stored, or -1 when the lease is not held.
--
-- A function and not one statement, because a heartbeat may touch the chunk meanwhile: each statement
-- here sees the row as the lock found it, and it is still one round trip.
CREATE FUNCTION commit_group(
    p_job uuid, p_chunk bigint, p_token bigint, p_lease_seconds double precision,
    p_solo_deaths integer, p_usd double precision,
    p_seq bigint[], p_seed_seq bigint[], p_sampling_seed bigint[],
    p_prompt_tokens bigint[], p_completion_tokens bigint[], p_cached_tokens bigint[], p_latency_ms bigint[],
    p_audience text[], p_audience_version integer[], p_template text[], p_template_version integer[],
    p_format text[], p_endpoint text[], p_model text[], p_finish_reason text[],
    p_verdict text[], p_reason text[], p_error text[],
    p_scores text[], p_seed_data text[], p_prompt text[], p_text text[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    c          job_chunks%ROWTYPE;
    stored     bigint;
    n_accepted bigint;
    n_rejected bigint;
    n_failed   bigint;
    t_prompt   bigint;
    t_answer   bigint;
    t_cached   bigint;
    new_cells  jsonb;
BEGIN
    SELECT * INTO c FROM job_chunks
     WHERE job_id = p_job AND chunk = p_chunk AND state = 'leased' AND lease_token = p_token
       AND lease_expires_at > clock_timestamp()
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    IF EXISTS (SELECT FROM unnest(p_seq) AS s WHERE s < c.lo OR s >= c.hi) THEN
        RAISE EXCEPTION 'a document lies outside its chunk' USING ERRCODE = 'check_violation';
    END IF;

    WITH ins AS (
        INSERT INTO documents (job_id, seq, seed_seq, sampling_seed, prompt_tokens, completion_tokens,
                cached_tokens, latency_ms, audience, audience_version, template, template_version,
                format, endpoint, model, finish_reason, verdict, reason, error, scores, seed_data,
                prompt, text)
        SELECT p_job, r.seq, r.seed_seq, r.sampling_seed, r.prompt_tokens, r.completion_tokens,
                r.cached_tokens, r.latency_ms, r.audience, r.audience_version, r.template, r.template_version,
                r.format, r.endpoint, r.model, r.finish_reason, r.verdict, r.reason, r.error,
                r.scores::json, r.seed_data::json, r.prompt, r.answer
          FROM unnest(p_seq, p_seed_seq, p_sampling_seed, p_prompt_tokens, p_completion_tokens,
                p_cached_tokens, p_latency_ms, p_audience, p_audience_version, p_template,
                p_template_version, p_format, p_endpoint, p_model, p_finish_reason, p_verdict,
                p_reason, p_error, p_scores, p_seed_data, p_prompt, p_text)
            AS r (seq, seed_seq, sampling_seed, prompt_tokens, completion_tokens, cached_tokens,
                latency_ms, audience, audience_version, template, template_version, format, endpoint,
                model, finish_reason, verdict, reason, error, scores, seed_data, prompt, answer)
        ON CONFLICT (job_id, seq) DO NOTHING
        RETURNING documents.audience, documents.format, documents.verdict, documents.reason,
                  documents.prompt_tokens, documents.completion_tokens, documents.cached_tokens
    ), cell AS (
        SELECT concat_ws(' ', i.audience, i.format, i.verdict, coalesce(i.reason, '')) AS key, i.verdict,
               count(*) AS n, sum(i.completion_tokens) AS answer,
               sum(i.prompt_tokens) AS prompt, sum(i.cached_tokens) AS cached
          FROM ins AS i GROUP BY 1, 2
    ), merged AS (
        SELECT m.key, jsonb_build_array(sum(m.n), sum(m.answer)) AS value
          FROM (SELECT cell.key, cell.n, cell.answer FROM cell
                UNION ALL
                SELECT e.key, (e.value ->> 0)::bigint, (e.value ->> 1)::bigint
                  FROM jsonb_each(c.cells) AS e) AS m
         GROUP BY m.key
    )
    SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (WHERE verdict = 'accepted'), 0),
           coalesce(sum(n) FILTER (WHERE verdict = 'rejected'), 0),
           coalesce(sum(n) FILTER (WHERE verdict = 'failed'), 0),
           coalesce(sum(prompt), 0), coalesce(sum(answer), 0), coalesce(sum(cached), 0),
           (SELECT coalesce(jsonb_object_agg(merged.key, merged.value), '{}') FROM merged)
      INTO stored, n_accepted, n_rejected, n_failed, t_prompt, t_answer, t_cached, new_cells
      FROM cell;

    UPDATE job_chunks SET
        accepted = accepted + n_accepted, rejected = rejected + n_rejected, failed = failed + n_failed,
        prompt_tokens = prompt_tokens + t_prompt, completion_tokens = completion_tokens + t_answer,
        cached_tokens = cached_tokens + t_cached,
        usd = usd + CASE WHEN stored > 0 THEN p_usd * stored / array_length(p_seq, 1) ELSE 0 END,
        cells = new_cells,
        -- A chunk that moves is not killing its owners. One that already runs one prompt at a time goes
        -- on doing so, but the deaths of the prompt that was just stored are not those of the next.
        deaths = CASE WHEN stored = 0 THEN deaths WHEN deaths < p_solo_deaths THEN 0 ELSE p_solo_deaths END,
        lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
     WHERE job_id = p_job AND chunk = p_chunk;

    IF n_failed > 0 THEN
        -- In the order of codes, so that two groups never wait for each other in a circle.
        INSERT INTO job_errors (job_id, code, message)
        SELECT DISTINCT ON (r.reason) p_job, r.reason, coalesce(r.error, '')
          FROM unnest(p_verdict, p_reason, p_error) AS r (verdict, reason, error)
         WHERE r.verdict = 'failed' AND r.reason IS NOT NULL
         ORDER BY r.reason
        ON CONFLICT (job_id, code) DO NOTHING;
    END IF;
    RETURN stored;
END
$$;

-- Corpora -------------------------------------------------------------------------------------

CREATE TABLE corpora (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id      uuid        NOT NULL REFERENCES jobs (id),
    commit_id   text        NOT NULL CHECK (commit_id ~ '^[0-9a-f]{40}$'),
    revision    integer     NOT NULL,
    partial     boolean     NOT NULL,
    manifest    jsonb       NOT NULL,
    -- Where the files lie in the corpus store: a prefix that ends without a slash.
    location    text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (job_id, commit_id),
    UNIQUE (job_id, revision)
);

CREATE TABLE corpus_files (
    corpus_id   bigint NOT NULL REFERENCES corpora (id) ON DELETE CASCADE,
    path        text   NOT NULL,
    bytes       bigint NOT NULL,
    sha256      text   NOT NULL,
    rows        bigint,
    PRIMARY KEY (corpus_id, path)
);

-- Who may ask, and who is at work --------------------------------------------------------------

CREATE TABLE api_keys (
    id           text        PRIMARY KEY,
    name         text        NOT NULL,
    sha256       bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    scopes       text[]      NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);

CREATE TABLE idempotency_keys (
    scope       text        NOT NULL,
    key         text        NOT NULL,
    body_sha256 bytea       NOT NULL,
    status      integer,
    headers     jsonb,
    body        bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE workers (
    id           uuid        PRIMARY KEY,
    -- A name that only one process at a time can have, or empty.
    name         text        NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
);
