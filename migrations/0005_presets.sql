-- Which make of server an endpoint is, where its owner says so: vllm, tgi, openai and so on.
ALTER TABLE endpoints ADD COLUMN preset text;
