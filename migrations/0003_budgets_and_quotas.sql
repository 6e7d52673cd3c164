-- What a job may cost, how many accepted documents it asks for, and what each endpoint cost.

ALTER TABLE jobs
    -- Accepted documents wanted of each recipe line, and those of chunks that are done; absent for a
    -- job that asks for prompts.
    ADD COLUMN quotas          bigint[],
    ADD COLUMN line_accepted   bigint[],
    -- Prompts that need no document: those of done chunks, and those after the last chunk.
    ADD COLUMN skipped         bigint NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    ADD COLUMN budget_tokens   bigint CHECK (budget_tokens > 0),
    ADD COLUMN budget_usd      double precision CHECK (budget_usd > 0),
    ADD COLUMN budget_failures bigint CHECK (budget_failures > 0),
    ADD COLUMN budget_then     text NOT NULL DEFAULT 'pause' CHECK (budget_then IN ('pause', 'finish')),
    -- A job whose budget is spent and that is to be assembled once its last lease has ended.
    ADD COLUMN finishing       boolean NOT NULL DEFAULT false,
    ADD CHECK (cardinality(quotas) = cardinality(line_accepted)),
    ADD CHECK ((quotas IS NULL) = (line_accepted IS NULL));

ALTER TABLE job_chunks
    -- Written when the chunk is finished: accepted documents by recipe line, prompts without need, and
    -- {"endpoint": [documents, prompt tokens, completion tokens, dollars]}.
    ADD COLUMN line_accepted   bigint[],
    ADD COLUMN skipped         bigint NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    ADD COLUMN endpoints       jsonb  NOT NULL DEFAULT '{}',
    ADD CHECK (accepted + rejected + failed + skipped <= hi - lo);

-- What a worker may spend of a job's budget before it asks again, and what it has under way.
CREATE TABLE budget_slices (
    job_id      uuid        NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    worker      uuid        NOT NULL,
    tokens      bigint      NOT NULL CHECK (tokens >= 0),
    usd         double precision NOT NULL CHECK (usd >= 0),
    failures    bigint      NOT NULL CHECK (failures >= 0),
    -- The part of them that is sent and not stored.
    under_way_tokens bigint NOT NULL CHECK (under_way_tokens >= 0),
    under_way_usd    double precision NOT NULL CHECK (under_way_usd >= 0),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (job_id, worker)
);

-- Sums over the chunks that are done.
CREATE TABLE job_endpoints (
    job_id            uuid   NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    endpoint          text   NOT NULL,
    documents         bigint NOT NULL,
    prompt_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    usd               double precision NOT NULL,
    PRIMARY KEY (job_id, endpoint)
);

-- The same over all jobs that there ever were.
CREATE TABLE endpoint_usage (
    endpoint          text   PRIMARY KEY,
    documents         bigint NOT NULL,
    prompt_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    usd               double precision NOT NULL
);

-- What a job used so far, durably: the sums of its done chunks, and what its open ones hold.
CREATE FUNCTION job_spent(j jobs, OUT tokens bigint, OUT usd double precision, OUT failures bigint)
LANGUAGE sql STABLE AS $$
    SELECT (j.prompt_tokens + j.completion_tokens
                + coalesce(sum(c.prompt_tokens + c.completion_tokens), 0))::bigint,
           j.usd + coalesce(sum(c.usd), 0), (j.failed + coalesce(sum(c.failed), 0))::bigint
      FROM job_chunks AS c WHERE c.job_id = j.id AND c.state <> 'done'
$$;

-- True when a job has used up one of its bounds.
CREATE FUNCTION job_is_spent(j jobs) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF j.budget_tokens IS NULL AND j.budget_usd IS NULL AND j.budget_failures IS NULL THEN
        RETURN false;
    END IF;
    RETURN (SELECT coalesce(s.tokens >= j.budget_tokens, false) OR coalesce(s.usd >= j.budget_usd, false)
                OR coalesce(s.failures >= j.budget_failures, false) FROM job_spent(j) AS s);
END
$$;

-- True when a worker may spend something on a job: what the others may still spend counts as spent, and
-- what it has sent itself.
CREATE FUNCTION job_is_affordable(j jobs, p_worker uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF j.budget_tokens IS NULL AND j.budget_usd IS NULL AND j.budget_failures IS NULL THEN
        RETURN true;
    END IF;
    RETURN (SELECT coalesce(s.tokens + o.tokens < j.budget_tokens, true)
               AND coalesce(s.usd + o.usd < j.budget_usd, true)
               AND coalesce(s.failures + o.failures < j.budget_failures, true)
              FROM job_spent(j) AS s,
                   (SELECT coalesce(sum(CASE WHEN b.worker = p_worker THEN b.under_way_tokens ELSE b.tokens END), 0) AS tokens,
                           coalesce(sum(CASE WHEN b.worker = p_worker THEN b.under_way_usd ELSE b.usd END), 0) AS usd,
                           coalesce(sum(b.failures) FILTER (WHERE b.worker <> p_worker), 0) AS failures
                      FROM budget_slices AS b
                     WHERE b.job_id = j.id AND b.expires_at > clock_timestamp()) AS o);
END
$$;

-- How many prompts the next chunk of a job may have.
--
-- A job that asks for accepted documents gets as many as should be enough: those under way count at
-- the rate at which documents were accepted so far, and only lines that still want some give any.
-- It always gets some while a line wants documents and nothing is under way, so it never stands still.
CREATE FUNCTION job_room(j jobs) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    wanted    numeric;
    got       numeric;
    unmet     numeric;
    o         record;
    ended     numeric;
    rate      numeric := 1;
    need      numeric;
BEGIN
    IF j.quotas IS NULL OR j.next_seq >= j.total THEN
        RETURN j.total - j.next_seq;
    END IF;
    SELECT sum(u.q), sum(least(u.a, u.q)), sum(u.q) FILTER (WHERE u.a < u.q) INTO wanted, got, unmet
      FROM unnest(j.quotas, j.line_accepted) AS u (q, a);
    IF unmet IS NULL THEN
        RETURN 0;
    END IF;
    SELECT coalesce(sum(c.accepted), 0) AS accepted, coalesce(sum(c.accepted + c.rejected + c.failed), 0) AS ended,
           coalesce(sum(c.hi - c.lo), 0) AS prompts INTO o
      FROM job_chunks AS c WHERE c.job_id = j.id AND c.state <> 'done';
    ended := j.accepted + j.rejected + j.failed + o.ended;
    IF ended >= 32 THEN
        rate := greatest((j.accepted + o.accepted) / ended, 0.02);
    END IF;
    need := ceil(wanted - got - o.accepted - (o.prompts - o.ended) * rate);
    IF need <= 0 THEN
        RETURN CASE WHEN o.prompts > 0 THEN 0 ELSE 1 END;
    END IF;
    RETURN least(j.total - j.next_seq, ceil(need / rate * wanted / unmet));
END
$$;
