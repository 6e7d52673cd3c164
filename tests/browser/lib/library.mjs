// What is on the shelves when the pages are looked at.

import { HOSTILE } from "./endpoint.mjs";

/** Name of the job whose documents the pages show. */
export const JOB_NAME = `up the ladder ${HOSTILE}`;
/** Prompts of that job. */
export const PROMPTS = 30;

/** Stores an endpoint, a template with two versions, a seed set, and runs a job to its end. */
export async function stock(service, endpoint) {
  await service.rest("PUT", "/v1/endpoints/scribe", {
    kind: "openai", base_url: endpoint.baseUrl, model: "scribe-1", limits: { in_flight: 8 },
  });
  const body = (rule) =>
    `Write a page about {{ seed.topic }} for {{ audience.reader }}.\n{% for rule in audience.instructions %}\n- {{ rule }}{% endfor %}\n${rule}\nLeave out: {{ audience.leave_out | join(sep=", ") }}.\n<b>${HOSTILE.replaceAll("{{ 7*7 }}", "")}</b>\n`;
  const template = (rule) => ({ format: "story", body: body(rule), description: `One page. ${HOSTILE}` });
  const { headers } = await service.rest("PUT", "/v1/templates/one-page", template("Keep it short."));
  await service.rest("PUT", "/v1/templates/one-page", template("Keep it to one page."), {
    headers: { "if-match": headers.get("etag") },
  });
  const seeds = Array.from({ length: 40 }, (_, n) => JSON.stringify({
    topic: n % 4 === 3 ? HOSTILE : `Topic ${n}`, text: `What is known about topic ${n}.`, level: n,
  }));
  await service.rest("PUT", "/v1/seed-sets/my-topics?license=CC0-1.0", `${seeds.join("\n")}\n`, {
    headers: { "content-type": "application/x-ndjson" },
  });
  const id = await submit(service, JOB_NAME, PROMPTS);
  await service.job(id, (job) => job.state.startsWith("succeeded") && job.corpus, "done");
  return id;
}

/** Submits a job of `documents` prompts for two readers. */
export async function submit(service, name, documents) {
  const line = (template, audience) => ({ template, audience });
  const { data } = await service.rest("POST", "/v1/jobs", {
    name,
    seeds: "my-topics",
    recipe: [line("one-page", "toddler"), line("textbook-chapter", "college"), line("one-page", "middle-school")],
    documents,
    endpoints: ["scribe"],
    gates: { max_duplicate_ngrams: 1 },
  });
  return data.id;
}
