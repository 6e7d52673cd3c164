-- Claims that stay cheap with hundreds of open jobs, quotas whose last prompts keep endpoints busy,
-- and shares that the living keep while a dead worker's part is nobody's.
-- The rules are told in docs/DATA_MODEL.md.
-- Functions are replaced whole: what an older migration says of them no longer holds.

-- Quotas of accepted documents -------------------------------------------------------------------

-- The part of a chunk's prompts that its job's lines had a use for when it was cut; the others are
-- skipped.
ALTER TABLE job_chunks ADD COLUMN useful double precision NOT NULL DEFAULT 1;

-- Accepted documents by recipe line of 256 chunks at a time that are done: what lies above a chunk
-- is summed over few rows, however many chunks there are.
CREATE TABLE job_line_blocks (
    job_id        uuid     NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    block         bigint   NOT NULL,
    line_accepted bigint[] NOT NULL,
    PRIMARY KEY (job_id, block)
) WITH (fillfactor = 50);

INSERT INTO job_line_blocks (job_id, block, line_accepted)
SELECT s.job_id, s.block, array_agg(s.accepted ORDER BY s.line)
  FROM (SELECT c.job_id, c.chunk / 256 AS block, u.line, sum(u.accepted)::bigint AS accepted
          FROM job_chunks AS c
         CROSS JOIN LATERAL unnest(c.line_accepted) WITH ORDINALITY AS u (accepted, line)
         WHERE c.state = 'done' GROUP BY 1, 2, 3) AS s
 GROUP BY s.job_id, s.block;

-- How many prompts the next chunk of a job may have.
--
-- A job that asks for accepted documents gets as many as its neediest line should need: what is under
-- way counts at the rate at which documents of that line were accepted so far, and prompts of a line
-- that has its documents count as nothing. It always gets some while a line wants documents and
-- nothing is under way, so it never stands still.
CREATE OR REPLACE FUNCTION job_room(j jobs) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    enough CONSTANT numeric := 32;
    wanted numeric;
    o      record;
    past   numeric;
    ended  numeric;
    rate   numeric := 1;
    room   numeric;
BEGIN
    IF j.quotas IS NULL OR j.next_seq >= j.total THEN
        RETURN j.total - j.next_seq;
    END IF;
    SELECT sum(q) INTO wanted FROM unnest(j.quotas) AS q;
    -- `got` and `coming`: as if every line still wanted documents.
    SELECT coalesce(sum(c.accepted), 0)::numeric AS accepted,
           coalesce(sum(c.accepted + c.rejected + c.failed), 0)::numeric AS ended,
           coalesce(sum(c.hi - c.lo), 0)::numeric AS prompts,
           coalesce(sum(c.accepted / c.useful), 0)::numeric AS got,
           coalesce(sum(greatest(c.hi - c.lo - (c.accepted + c.rejected + c.failed) / c.useful, 0)), 0)::numeric
             AS coming
      INTO o FROM job_chunks AS c WHERE c.job_id = j.id AND c.state <> 'done';
    past := j.next_seq - o.prompts;
    ended := j.accepted + j.rejected + j.failed + o.ended;
    IF ended >= enough THEN
        rate := greatest((j.accepted + o.accepted) / ended, 0.02);
    END IF;
    -- A line that still wants some has had none of its prompts skipped.
    SELECT max((l.q - l.a - l.part * (o.got + o.coming * l.rate)) / (l.part * l.rate)) INTO room
      FROM (SELECT u.q, u.a, u.q / wanted AS part,
                   CASE WHEN past * u.q / wanted >= enough
                        THEN greatest(u.a / (past * u.q / wanted), 0.02) ELSE rate END AS rate
              FROM unnest(j.quotas, j.line_accepted) AS u (q, a) WHERE u.a < u.q) AS l;
    IF room IS NULL THEN
        RETURN 0;
    END IF;
    IF room <= 0 THEN
        RETURN CASE WHEN o.prompts > 0 THEN 0 ELSE 1 END;
    END IF;
    RETURN least(j.total - j.next_seq, ceil(room));
END
$$;

-- The part of the next chunk's prompts that a job's lines have a use for.
CREATE FUNCTION job_useful(p_quotas bigint[], p_accepted bigint[]) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(u.q) FILTER (WHERE u.a < u.q) / nullif(sum(u.q), 0), 1)::double precision
      FROM unnest(p_quotas, p_accepted) AS u (q, a)
$$;

-- Who goes first ---------------------------------------------------------------------------------

-- The job that a worker's next claim for one of these endpoints goes to; null when nothing can be
-- claimed. With `p_only`, that job if it is one that could be claimed from.
--
-- What is cheap to know is asked of every job, what is dear only of those that come first and only
-- where a job has a bound or its key a quota. No function is given a job as a whole but for those:
-- that would unpack its spec.
CREATE FUNCTION claimable_job(p_endpoints text[], p_worker uuid, p_only uuid DEFAULT NULL)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    c     record;
    known text[] := '{}';
    spent text[] := '{}';
BEGIN
    FOR c IN
        SELECT j.id, k.id AS key, j.quotas IS NOT NULL AS has_quotas,
               j.budget_tokens IS NOT NULL OR j.budget_usd IS NOT NULL
                   OR j.budget_failures IS NOT NULL AS is_bounded
          FROM jobs AS j
          LEFT JOIN api_keys AS k ON k.id = j.key_id AND k.quota_tokens_per_day IS NOT NULL
         WHERE j.state IN ('queued', 'running') AND j.endpoints && p_endpoints
           AND (p_only IS NULL OR j.id = p_only)
           AND (j.next_seq < j.total OR EXISTS (
                SELECT FROM job_chunks AS f WHERE f.job_id = j.id AND f.state <> 'done'
                   AND (f.state = 'requeued' OR f.lease_expires_at < clock_timestamp())))
         ORDER BY j.priority DESC, j.vtime, j.id
    LOOP
        IF c.key IS NOT NULL THEN
            IF c.key <> ALL (known) THEN
                known := known || c.key;
                spent := spent || ARRAY(SELECT s.id FROM spent_keys AS s WHERE s.id = c.key);
            END IF;
            CONTINUE WHEN c.key = ANY (spent);
        END IF;
        CONTINUE WHEN (c.is_bounded OR c.key IS NOT NULL)
            AND NOT (SELECT job_is_affordable(j, p_worker) FROM jobs AS j WHERE j.id = c.id);
        CONTINUE WHEN c.has_quotas AND NOT EXISTS (
                SELECT FROM job_chunks AS f WHERE f.job_id = c.id AND f.state <> 'done'
                   AND (f.state = 'requeued' OR f.lease_expires_at < clock_timestamp()))
            AND (SELECT job_room(j) FROM jobs AS j WHERE j.id = c.id) <= 0;
        RETURN c.id;
    END LOOP;
    RETURN NULL;
END
$$;

-- The same, with that job locked.
--
-- One that another worker is just claiming from is waited for, and not passed over: a job of a lower
-- priority must not slip in meanwhile.
CREATE FUNCTION pick_job(p_endpoints text[], p_worker uuid) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    found_id uuid;
BEGIN
    LOOP
        found_id := claimable_job(p_endpoints, p_worker);
        IF found_id IS NULL THEN
            RETURN NULL;
        END IF;
        PERFORM FROM jobs AS j WHERE j.id = found_id FOR NO KEY UPDATE;
        -- Whoever held the lock may have taken the last of it.
        IF claimable_job(p_endpoints, p_worker, found_id) IS NOT NULL THEN
            RETURN found_id;
        END IF;
    END LOOP;
END
$$;

-- Shares of an endpoint's limits -----------------------------------------------------------------

-- Since when the worker takes part.
ALTER TABLE endpoint_shares ADD COLUMN since timestamptz NOT NULL DEFAULT '-infinity';

-- Renews a worker's shares of all endpoints that it has a use for, and gives each one's size; null
-- is no limit, and endpoints without any are left out. One call for each heartbeat.
--
-- Whoever shares an endpoint does so one after the other, under the lock on the endpoint's row, in
-- the order of names. The worker says what it holds (its limiter runs at that) and has in use, so
-- that a smaller share frees anything only once it is known to be obeyed.
--
-- A worker gains up to an equal part among all, and keeps up to an equal part among those that are
-- known to stay. Who missed two heartbeats is taken for dead, and who came within that time is not
-- yet counted where what the others gave up would have to cool, unless it has got something: as long
-- as nobody knows whether a newcomer takes the place of a dead worker, nothing is given up in vain.
CREATE OR REPLACE FUNCTION lease_shares(
    p_worker uuid, p_name text, p_lease_seconds double precision, p_cooling_seconds double precision,
    p_endpoint text[], p_demand integer[], p_quiet boolean[], p_need_tokens bigint[],
    p_used_in_flight bigint[], p_held_in_flight bigint[], p_held_requests bigint[], p_held_tokens bigint[]
) RETURNS TABLE (endpoint text, share_in_flight bigint, share_requests bigint, share_tokens bigint)
LANGUAGE plpgsql AS $$
DECLARE
    lease    CONSTANT interval := make_interval(secs => p_lease_seconds);
    cooling  CONSTANT interval := make_interval(secs => p_cooling_seconds);
    -- Two heartbeats and what the third may be late.
    patience CONSTANT interval := make_interval(secs => p_lease_seconds * 0.4);
    e       record;
    had     endpoint_shares%ROWTYPE;
    others  record;
    hot     record;
    t       timestamptz;
    fits    bigint;
    gains   boolean;
    keeps   boolean;
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

        IF e.demand = 1 AND claimable_job(ARRAY[e.name], p_worker) IS NOT NULL THEN
            e.demand := 2;
        END IF;
        INSERT INTO endpoint_shares AS s (endpoint_id, worker_id, worker_name, demand, need_tokens,
                in_flight, requests, tokens, since, expires_at)
        VALUES (e.id, p_worker, p_name, e.demand, e.need, 0, 0, 0, t, t + lease)
        ON CONFLICT (endpoint_id, worker_id) DO UPDATE SET demand = excluded.demand,
                need_tokens = excluded.need_tokens, expires_at = excluded.expires_at
        RETURNING s.* INTO had;

        SELECT o.top, count(*) FILTER (WHERE o.is_alive AND o.demand = o.top) AS sharers,
               count(*) FILTER (WHERE o.is_alive AND o.demand = o.top AND o.worker_id < p_worker) AS rank,
               count(*) FILTER (WHERE o.stays AND o.demand = o.top) AS stayers,
               count(*) FILTER (WHERE o.stays AND o.demand = o.top AND o.worker_id < p_worker) AS stayers_rank,
               coalesce(max(o.need_tokens) FILTER (WHERE o.demand = o.top), 0) AS need,
               coalesce(sum(o.in_flight) FILTER (WHERE o.worker_id <> p_worker), 0)::bigint AS in_flight,
               coalesce(sum(o.requests) FILTER (WHERE o.worker_id <> p_worker), 0)::bigint AS requests,
               coalesce(sum(o.tokens) FILTER (WHERE o.worker_id <> p_worker), 0)::bigint AS tokens
          INTO others
          FROM (SELECT a.*, max(a.demand) FILTER (WHERE a.is_alive) OVER () AS top,
                       a.worker_id = p_worker OR (a.is_alive AND (
                           e.quiet OR (e.max_requests IS NULL AND e.max_tokens IS NULL)
                           OR a.since NOT BETWEEN t - patience AND t
                           OR a.in_flight > 0 OR a.requests > 0 OR a.tokens > 0)) AS stays
                  FROM (SELECT s.*, s.expires_at >= t + lease - patience AS is_alive
                          FROM endpoint_shares AS s WHERE s.endpoint_id = e.id) AS a) AS o
         GROUP BY o.top;
        SELECT coalesce(sum(c.amount) FILTER (WHERE c.resource = 'requests'), 0)::bigint AS requests,
               coalesce(sum(c.amount) FILTER (WHERE c.resource = 'tokens'), 0)::bigint AS tokens
          INTO hot FROM endpoint_cooling AS c
         WHERE c.endpoint_id = e.id
           AND NOT (c.worker_id = p_worker OR (p_name <> '' AND c.worker_name = p_name));

        -- No more sharers than there are whole parts: a share in which nothing fits is of no use.
        fits := least(e.max_in_flight, e.max_requests,
                      CASE WHEN e.max_tokens IS NOT NULL
                           THEN greatest(e.max_tokens / greatest(others.need, 1), 1) END);
        others.sharers := least(others.sharers, fits);
        others.stayers := least(others.stayers, fits);
        gains := e.demand > 0 AND e.demand = others.top AND others.rank < others.sharers;
        keeps := e.demand > 0 AND e.demand = others.top AND others.stayers_rank < others.stayers;
        endpoint := e.name;
        share_in_flight := greatest(
            share_of(e.max_in_flight, keeps, others.stayers, others.stayers_rank, e.held_in_flight, 0),
            share_of(e.max_in_flight, gains, others.sharers, others.rank, 0,
                     e.max_in_flight - others.in_flight));
        share_requests := greatest(
            share_of(e.max_requests, keeps, others.stayers, others.stayers_rank, e.held_requests, 0),
            share_of(e.max_requests, gains, others.sharers, others.rank, 0,
                     e.max_requests - others.requests - hot.requests));
        share_tokens := greatest(
            share_of(e.max_tokens, keeps, others.stayers, others.stayers_rank, e.held_tokens, 0),
            share_of(e.max_tokens, gains, others.sharers, others.rank, 0,
                     e.max_tokens - others.tokens - hot.tokens));

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
