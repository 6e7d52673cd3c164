-- As before, but what documents used is summed over the rows that were really stored. `p_costs` says what
-- was paid besides their tokens: {"endpoint": [prompt tokens, completion tokens, dollars]}, the
-- tokens of attempts of which nothing is kept, the dollars of everything.
CREATE OR REPLACE FUNCTION commit_group(
    p_job uuid, p_chunk bigint, p_token bigint, p_lease_seconds double precision,
    p_solo_deaths integer, p_costs jsonb,
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
    t_cached   bigint;
    new_cells  jsonb;
    own        jsonb;
    part       double precision;
    paid       record;
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
                  documents.endpoint, documents.prompt_tokens, documents.completion_tokens,
                  documents.cached_tokens
    ), by_endpoint AS (
        SELECT i.endpoint, count(*) AS n, sum(i.prompt_tokens) AS prompt, sum(i.completion_tokens) AS answer
          FROM ins AS i GROUP BY i.endpoint
    ), cell AS (
        SELECT concat_ws(' ', i.audience, i.format, i.verdict, coalesce(i.reason, '')) AS key, i.verdict,
               count(*) AS n, sum(i.completion_tokens) AS answer, sum(i.cached_tokens) AS cached
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
           coalesce(sum(cached), 0),
           (SELECT coalesce(jsonb_object_agg(merged.key, merged.value), '{}') FROM merged),
           (SELECT coalesce(jsonb_object_agg(b.endpoint, jsonb_build_array(b.n, b.prompt, b.answer)), '{}')
              FROM by_endpoint AS b)
      INTO stored, n_accepted, n_rejected, n_failed, t_cached, new_cells, own
      FROM cell;

    -- All of it, but for a group of which some rows were there before.
    part := stored::double precision / array_length(p_seq, 1);
    SELECT coalesce(sum(m.prompt), 0)::bigint AS prompt, coalesce(sum(m.answer), 0)::bigint AS answer,
           coalesce(sum(m.usd), 0) AS usd,
           coalesce(jsonb_object_agg(m.endpoint, jsonb_build_array(m.documents + coalesce((c.endpoints -> m.endpoint ->> 0)::bigint, 0),
                m.prompt + coalesce((c.endpoints -> m.endpoint ->> 1)::bigint, 0),
                m.answer + coalesce((c.endpoints -> m.endpoint ->> 2)::bigint, 0),
                m.usd + coalesce((c.endpoints -> m.endpoint ->> 3)::float8, 0))), '{}') AS by_endpoint
      INTO paid
      FROM (SELECT k.endpoint, coalesce((own -> k.endpoint ->> 0)::bigint, 0) AS documents,
                   coalesce((own -> k.endpoint ->> 1)::bigint, 0)
                       + coalesce((p_costs -> k.endpoint ->> 0)::bigint, 0) AS prompt,
                   coalesce((own -> k.endpoint ->> 2)::bigint, 0)
                       + coalesce((p_costs -> k.endpoint ->> 1)::bigint, 0) AS answer,
                   coalesce((p_costs -> k.endpoint ->> 2)::float8, 0) * part AS usd
              FROM (SELECT jsonb_object_keys(own) UNION SELECT jsonb_object_keys(p_costs)) AS k (endpoint)
             WHERE stored > 0) AS m;

    UPDATE job_chunks SET
        accepted = accepted + n_accepted, rejected = rejected + n_rejected, failed = failed + n_failed,
        prompt_tokens = prompt_tokens + paid.prompt, completion_tokens = completion_tokens + paid.answer,
        cached_tokens = cached_tokens + t_cached, usd = usd + paid.usd,
        endpoints = endpoints || paid.by_endpoint, cells = new_cells,
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
