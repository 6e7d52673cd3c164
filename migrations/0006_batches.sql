-- Batches that were paid for, or are about to be: noted before they are made, so that a request
-- that is asked again after a death finds the batch that it is in already.
CREATE TABLE batches (
    endpoint_id uuid        NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    -- Our own name for it, which the provider keeps beside it.
    key         text        NOT NULL,
    -- The provider's name; none until it was heard.
    batch_id    text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (endpoint_id, key)
);

CREATE TABLE batch_requests (
    endpoint_id uuid  NOT NULL,
    key         text  NOT NULL,
    -- The first 128 bits of a SHA-256 over the request.
    request     bytea NOT NULL,
    PRIMARY KEY (endpoint_id, request, key),
    FOREIGN KEY (endpoint_id, key) REFERENCES batches (endpoint_id, key) ON DELETE CASCADE
);
-- For the cascade, which asks by batch.
CREATE INDEX batch_requests_by_batch ON batch_requests (endpoint_id, key);
