-- Limits of an endpoint that hold over all workers together, and who goes first.
-- The rules are told in docs/DATA_MODEL.md.

-- Shares of an endpoint's limits -----------------------------------------------------------------

-- What a worker may be using of an endpoint's limits at this moment: what it was granted last, or
-- what it still holds or has in use of an earlier grant, whichever is more.
CREATE TABLE endpoint_shares (
    endpoint_id uuid        NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    worker_id   uuid        NOT NULL,
    -- As in `workers`: a name that only one process at a time can have, or empty.
    worker_name text        NOT NULL,
    -- 0: it leaves; 1: it has no prompts for the endpoint; 2: it has, or could claim some.
    demand      smallint    NOT NULL CHECK (demand BETWEEN 0 AND 2),
    -- Most tokens that one of its requests needs; a smaller share would be of no use.
    need_tokens bigint      NOT NULL,
    in_flight   bigint      NOT NULL CHECK (in_flight >= 0),
    requests    bigint      NOT NULL CHECK (requests >= 0),
    tokens      bigint      NOT NULL CHECK (tokens >= 0),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, worker_id)
) WITH (fillfactor = 50);

-- Rate (requests or tokens a minute) that was given up, or whose holder's lease ran out, and that
-- may still count in the minute of whoever had it; nobody else gets it before `until`.
CREATE TABLE endpoint_cooling (
    endpoint_id uuid        NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    resource    text        NOT NULL CHECK (resource IN ('requests', 'tokens')),
    worker_id   uuid        NOT NULL,
    worker_name text        NOT NULL,
    amount      bigint      NOT NULL CHECK (amount > 0),
    until       timestamptz NOT NULL
);
CREATE INDEX endpoint_cooling_endpoint ON endpoint_cooling (endpoint_id);

-- A limit out of `endpoints.limits`; null where there is none, or where workers find it out alone.
CREATE FUNCTION limit_number(p_limit jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN jsonb_typeof(p_limit) = 'number' THEN p_limit::bigint END
$$;

-- What one of `p_sharers` gets of a limit: an equal part, what is left over one each by rank, but
-- no more than it holds already or than is free. Null where there is no limit.
CREATE FUNCTION share_of(
    p_limit bigint, p_sharing boolean, p_sharers bigint, p_rank bigint, p_held bigint, p_free bigint
) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_limit IS NOT NULL THEN
        greatest(least(part, coalesce(p_held, 0)), least(part, greatest(p_free, 0))) END
      FROM (SELECT CASE WHEN p_sharing
              THEN p_limit / p_sharers + CASE WHEN p_rank < p_limit % p_sharers THEN 1 ELSE 0 END
              ELSE 0 END AS part) AS equal
$$;

-- Books a change of what a worker may be using of a rate: what it loses cools, and what it gains
-- comes out of its own cooling first, the part that lasts longest before the others.
CREATE FUNCTION book_rate(
    p_endpoint uuid, p_resource text, p_worker uuid, p_name text,
    p_change bigint, p_quiet boolean, p_until timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    gained bigint := p_change;
    c      record;
BEGIN
    IF p_change < 0 AND NOT p_quiet THEN
        INSERT INTO endpoint_cooling (endpoint_id, resource, worker_id, worker_name, amount, until)
        VALUES (p_endpoint, p_resource, p_worker, p_name, -p_change, p_until);
    END IF;
    WHILE gained > 0 LOOP
        SELECT o.ctid AS place, o.amount INTO c FROM endpoint_cooling AS o
         WHERE o.endpoint_id = p_endpoint AND o.resource = p_resource
           AND (o.worker_id = p_worker OR (p_name <> '' AND o.worker_name = p_name))
         ORDER BY o.until DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF c.amount > gained THEN
            UPDATE endpoint_cooling SET amount = amount - gained WHERE ctid = c.place;
        ELSE
            DELETE FROM endpoint_cooling WHERE ctid = c.place;
        END IF;
        gained := gained - c.amount;
    END LOOP;
END
$$;

-- Renews a worker's shares of all endpoints that it has a use for, and gives each one's size; null
-- is no limit, and endpoints without any are left out. One call for each heartbeat.
--
-- Whoever shares an endpoint does so one after the other, under the lock on the endpoint's row, in
-- the order of names. The worker says what it holds (its limiter runs at that) and has in use, so
-- that a smaller share frees anything only once it is known to be obeyed.
CREATE FUNCTION lease_shares(
    p_worker uuid, p_name text, p_lease_seconds double precision, p_cooling_seconds double precision,
    p_endpoint text[], p_demand integer[], p_quiet boolean[], p_need_tokens bigint[],
    p_used_in_flight bigint[], p_held_in_flight bigint[], p_held_requests bigint[], p_held_tokens bigint[]
) RETURNS TABLE (endpoint text, share_in_flight bigint, share_requests bigint, share_tokens bigint)
LANGUAGE plpgsql AS $$
DECLARE
    cooling CONSTANT interval := make_interval(secs => p_cooling_seconds);
    e       record;
    had     endpoint_shares%ROWTYPE;
    others  record;
    hot     record;
    t       timestamptz;
    sharers bigint;
    sharing boolean;
    n_in_flight bigint;
    n_requests  bigint;
    n_tokens    bigint;
BEGIN
    FOR e IN
        SELECT ep.id, ep.name, a.demand, a.quiet, a.need, a.used, a.held_in_flight, a.held_requests,
               a.held_tokens, limit_number(ep.limits -> 'in_flight') AS max_in_flight,
               limit_number(ep.limits -> 'requests_per_minute') AS max_requests,
               limit_number(ep.limits -> 'tokens_per_minute') AS max_tokens
          FROM unnest(p_endpoint, p_demand, p_quiet, p_need_tokens, p_used_in_flight, p_held_in_flight,
                      p_held_requests, p_held_tokens)
            AS a (name, demand, quiet, need, used, held_in_flight, held_requests, held_tokens)
          JOIN endpoints AS ep ON ep.name = a.name
         WHERE coalesce(limit_number(ep.limits -> 'in_flight'),
                        limit_number(ep.limits -> 'requests_per_minute'),
                        limit_number(ep.limits -> 'tokens_per_minute')) IS NOT NULL
         ORDER BY ep.name FOR NO KEY UPDATE OF ep
    LOOP
        t := clock_timestamp();
        WITH dead AS (
            DELETE FROM endpoint_shares AS s WHERE s.endpoint_id = e.id AND s.expires_at <= t RETURNING s.*
        )
        INSERT INTO endpoint_cooling (endpoint_id, resource, worker_id, worker_name, amount, until)
        SELECT e.id, r.resource, d.worker_id, d.worker_name, r.amount, d.expires_at + cooling
          FROM dead AS d
         CROSS JOIN LATERAL (VALUES ('requests', d.requests), ('tokens', d.tokens)) AS r (resource, amount)
         WHERE r.amount > 0;
        DELETE FROM endpoint_cooling AS c WHERE c.endpoint_id = e.id AND c.until <= t;

        IF e.demand = 1 AND EXISTS (
            SELECT FROM jobs AS j WHERE j.state IN ('queued', 'running') AND e.name = ANY (j.endpoints)
               AND (j.next_seq < j.total OR EXISTS (
                   SELECT FROM job_chunks AS c WHERE c.job_id = j.id AND c.state <> 'done'
                      AND (c.state = 'requeued' OR c.lease_expires_at < t)))
        ) THEN
            e.demand := 2;
        END IF;
        INSERT INTO endpoint_shares AS s (endpoint_id, worker_id, worker_name, demand, need_tokens,
                in_flight, requests, tokens, expires_at)
        VALUES (e.id, p_worker, p_name, e.demand, e.need, 0, 0, 0,
                t + make_interval(secs => p_lease_seconds))
        ON CONFLICT (endpoint_id, worker_id) DO UPDATE SET demand = excluded.demand,
                need_tokens = excluded.need_tokens, expires_at = excluded.expires_at
        RETURNING s.* INTO had;

        SELECT o.top, count(*) FILTER (WHERE o.demand = o.top) AS sharers,
               count(*) FILTER (WHERE o.demand = o.top AND o.worker_id < p_worker) AS rank,
               coalesce(max(o.need_tokens) FILTER (WHERE o.demand = o.top), 0) AS need,
               coalesce(sum(o.in_flight) FILTER (WHERE o.worker_id <> p_worker), 0)::bigint AS in_flight,
               coalesce(sum(o.requests) FILTER (WHERE o.worker_id <> p_worker), 0)::bigint AS requests,
               coalesce(sum(o.tokens) FILTER (WHERE o.worker_id <> p_worker), 0)::bigint AS tokens
          INTO others
          FROM (SELECT s.*, max(s.demand) OVER () AS top FROM endpoint_shares AS s
                 WHERE s.endpoint_id = e.id) AS o
         GROUP BY o.top;
        SELECT coalesce(sum(c.amount) FILTER (WHERE c.resource = 'requests'), 0)::bigint AS requests,
               coalesce(sum(c.amount) FILTER (WHERE c.resource = 'tokens'), 0)::bigint AS tokens
          INTO hot FROM endpoint_cooling AS c
         WHERE c.endpoint_id = e.id
           AND NOT (c.worker_id = p_worker OR (p_name <> '' AND c.worker_name = p_name));

        -- No more sharers than there are whole parts: a share in which nothing fits is of no use.
        sharers := least(others.sharers, e.max_in_flight, e.max_requests,
                         CASE WHEN e.max_tokens IS NOT NULL
                              THEN greatest(e.max_tokens / greatest(others.need, 1), 1) END);
        sharing := e.demand > 0 AND e.demand = others.top AND others.rank < sharers;
        endpoint := e.name;
        share_in_flight := share_of(e.max_in_flight, sharing, sharers, others.rank, e.held_in_flight,
                                    e.max_in_flight - others.in_flight);
        share_requests := share_of(e.max_requests, sharing, sharers, others.rank, e.held_requests,
                                   e.max_requests - others.requests - hot.requests);
        share_tokens := share_of(e.max_tokens, sharing, sharers, others.rank, e.held_tokens,
                                 e.max_tokens - others.tokens - hot.tokens);

        -- Null, where there is no limit, counts as nothing: there is nothing to divide.
        n_in_flight := CASE WHEN e.max_in_flight IS NULL THEN 0
                            ELSE greatest(share_in_flight, e.held_in_flight, e.used) END;
        n_requests := CASE WHEN e.max_requests IS NULL THEN 0
                           ELSE greatest(share_requests, e.held_requests) END;
        n_tokens := CASE WHEN e.max_tokens IS NULL THEN 0
                         ELSE greatest(share_tokens, e.held_tokens) END;
        PERFORM book_rate(e.id, 'requests', p_worker, p_name, n_requests - had.requests, e.quiet, t + cooling);
        PERFORM book_rate(e.id, 'tokens', p_worker, p_name, n_tokens - had.tokens, e.quiet, t + cooling);
        IF e.demand = 0 AND n_in_flight = 0 AND n_requests = 0 AND n_tokens = 0 THEN
            DELETE FROM endpoint_shares AS s WHERE s.endpoint_id = e.id AND s.worker_id = p_worker;
        ELSE
            UPDATE endpoint_shares AS s SET in_flight = n_in_flight, requests = n_requests, tokens = n_tokens
             WHERE s.endpoint_id = e.id AND s.worker_id = p_worker;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

-- Ends every share of a worker that leaves in good order; its rates cool.
CREATE FUNCTION release_shares(p_worker uuid, p_cooling_seconds double precision)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM endpoints AS ep
      WHERE ep.id IN (SELECT s.endpoint_id FROM endpoint_shares AS s WHERE s.worker_id = p_worker)
      ORDER BY ep.name FOR NO KEY UPDATE;
    WITH gone AS (
        DELETE FROM endpoint_shares AS s WHERE s.worker_id = p_worker RETURNING s.*
    )
    INSERT INTO endpoint_cooling (endpoint_id, resource, worker_id, worker_name, amount, until)
    SELECT g.endpoint_id, r.resource, g.worker_id, g.worker_name, r.amount,
           clock_timestamp() + make_interval(secs => p_cooling_seconds)
      FROM gone AS g
     CROSS JOIN LATERAL (VALUES ('requests', g.requests), ('tokens', g.tokens)) AS r (resource, amount)
     WHERE r.amount > 0;
END
$$;

-- Who goes first ---------------------------------------------------------------------------------

ALTER TABLE jobs
    ADD COLUMN weight double precision NOT NULL DEFAULT 1 CHECK (weight > 0),
    -- Prompts leased so far, over the weight: of jobs of one priority the smallest goes next.
    ADD COLUMN vtime double precision NOT NULL DEFAULT 0,
    -- The key that submitted it; none while the service is open.
    ADD COLUMN key_id text REFERENCES api_keys (id),
    -- The UTC day on which it was last told that its key's tokens are spent.
    ADD COLUMN quota_warned_on date,
    DROP COLUMN last_claimed_at;

CREATE INDEX jobs_of_key ON jobs (key_id)
    WHERE key_id IS NOT NULL AND state IN ('queued', 'running', 'paused', 'cancelling', 'assembling');

-- Quotas of keys ---------------------------------------------------------------------------------

-- Null is no quota.
ALTER TABLE api_keys
    ADD COLUMN quota_running_jobs bigint CHECK (quota_running_jobs > 0),
    ADD COLUMN quota_prompts_per_day bigint CHECK (quota_prompts_per_day > 0),
    ADD COLUMN quota_tokens_per_day bigint CHECK (quota_tokens_per_day > 0);

-- What a key used on one UTC day: prompts when submitted, tokens when their chunk is done or handed back.
CREATE TABLE key_usage (
    key_id  text   NOT NULL REFERENCES api_keys (id),
    day     date   NOT NULL,
    prompts bigint NOT NULL DEFAULT 0,
    tokens  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, day)
);

-- Tokens of the chunk that are in its key's usage already.
ALTER TABLE job_chunks ADD COLUMN charged_tokens bigint NOT NULL DEFAULT 0;

-- Tokens that a key used today, those of its open chunks included.
CREATE FUNCTION key_tokens_today(p_key text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT u.tokens FROM key_usage AS u
                      WHERE u.key_id = p_key AND u.day = (clock_timestamp() AT TIME ZONE 'UTC')::date), 0)
         + coalesce((SELECT sum(c.prompt_tokens + c.completion_tokens - c.charged_tokens)::bigint
                       FROM jobs AS j JOIN job_chunks AS c ON c.job_id = j.id AND c.state <> 'done'
                      WHERE j.key_id = p_key
                        AND j.state IN ('queued', 'running', 'paused', 'cancelling', 'assembling')), 0)
$$;

-- Keys whose tokens of today are spent: claims pass over their jobs.
CREATE VIEW spent_keys AS
    SELECT k.id FROM api_keys AS k
     WHERE k.quota_tokens_per_day IS NOT NULL AND key_tokens_today(k.id) >= k.quota_tokens_per_day;
