// The dashboard in a real browser, over the real service.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import {
  NARROW, WIDE, assertAccessible, assertClean, assertFits, focused, keepPicture, launch, openPage,
} from "./lib/browser.mjs";
import { Endpoint, HOSTILE } from "./lib/endpoint.mjs";
import { PROMPTS, stock, submit } from "./lib/library.mjs";
import { Service } from "./lib/service.mjs";

let service;
let endpoint;
let browser;
let job;

before(async () => {
  [service, endpoint, browser] = await Promise.all([Service.start(), Endpoint.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await service?.stop();
  await endpoint?.stop();
});

const SHAPES = [
  ["wide-light", { viewport: WIDE, colorScheme: "light" }],
  ["wide-dark", { viewport: WIDE, colorScheme: "dark" }],
  ["narrow-light", { viewport: NARROW, colorScheme: "light" }],
  ["narrow-dark", { viewport: NARROW, colorScheme: "dark" }],
];

/** Looks at `pages` ({name: path}) in every shape. */
async function lookAtAll(pages) {
  for (const [shape, options] of SHAPES) {
    const { page, faults, close } = await openPage(browser, options);
    for (const [name, path] of Object.entries(pages)) {
      const where = `${name} ${shape}`;
      const reply = await page.goto(service.url + path);
      const missing = path === "/nowhere";
      assert.equal(reply.status(), missing ? 404 : 200, where);
      assert.match(reply.headers()["content-type"], /^text\/html/, where);
      assert.match(reply.headers()["content-security-policy"], /default-src 'none'/, where);
      assert.doesNotMatch(reply.headers()["content-security-policy"], /unsafe/, where);
      assert.match(await page.title(), / · Hornbook$/, where);
      assert.equal(await page.locator("h1").count(), 1, where);
      await assertFits(page, where);
      await keepPicture(page, `${name}-${shape}`);
      await assertAccessible(page, where);
      assertClean(faults, where, missing ? /404/ : undefined);
    }
    await close();
  }
}

test("an empty service says what to do next", async () => {
  await lookAtAll({ "empty-home": "/", "empty-jobs": "/jobs", "empty-corpora": "/corpora" });
  const { page, close } = await openPage(browser);
  await page.goto(service.url);
  await page.getByRole("link", { name: "Submit the first job" }).click();
  await page.getByRole("heading", { name: "New job" }).waitFor();
  await close();
});

test("every page is whole, wide and narrow, light and dark", async () => {
  job = await stock(service, endpoint);
  await lookAtAll({
    home: "/",
    audiences: "/audiences",
    audience: "/audiences/toddler",
    templates: "/templates",
    template: "/templates/one-page?audience=toddler&seed_set=my-topics&seed=3",
    "template-problem": "/templates/one-page?audience=toddler&seed_set=my-topics&seed=99",
    "template-old": "/templates/one-page?version=1",
    diff: "/templates/one-page/diff?from=1&to=2",
    "seed-sets": "/seed-sets",
    "seed-set": "/seed-sets/my-topics",
    jobs: "/jobs",
    "job-new": "/jobs/new",
    job: `/jobs/${job}`,
    documents: `/jobs/${job}/documents`,
    "documents-none": `/jobs/${job}/documents?verdict=failed`,
    document: `/jobs/${job}/documents/1`,
    corpora: "/corpora",
    endpoints: "/endpoints",
    nowhere: "/nowhere",
  });
});

test("what a model wrote is text, wherever it stands", async () => {
  const { page, faults, close } = await openPage(browser);
  const paths = [
    "/", "/jobs", `/jobs/${job}`, `/jobs/${job}/documents`, "/corpora", "/seed-sets/my-topics",
    "/templates/one-page?seed_set=my-topics&seed=3", "/templates/one-page/diff?from=1&to=2", "/templates",
  ];
  const { data } = await service.rest("GET", `/v1/jobs/${job}/documents?limit=200`);
  const hostile = data.data.filter((document) => document.text.includes("<script>"));
  assert.ok(hostile.length > 0, "some answers are hostile");
  paths.push(`/jobs/${job}/documents/${hostile[0].seq}`);
  for (const path of paths) {
    await page.goto(service.url + path);
    assert.ok((await page.textContent("main")).includes("<script>document.title='owned'</script>"), path);
    assert.equal(await page.locator("main script, main img, main b, [onerror]").filter({ hasText: /owned|bold/ }).count(), 0, path);
    assert.doesNotMatch(await page.title(), /^owned|\u202E/, path);
    assertClean(faults, path);
  }
  await close();
});

test("the job's page counts what the service counts", async () => {
  const { page, close } = await openPage(browser);
  await page.goto(`${service.url}/jobs/${job}`);
  const { data } = await service.rest("GET", `/v1/jobs/${job}`);
  assert.equal(data.counts.total, PROMPTS);
  for (const kind of ["total", "accepted", "rejected", "failed", "running"]) {
    assert.equal(await page.textContent(`[data-count=${kind}]`), String(data.counts[kind]), kind);
  }
  assert.ok(data.counts.rejected > 0, "some documents are rejected");
  await page.getByRole("link", { name: "too_short" }).click();
  await page.getByRole("heading", { name: "Documents" }).waitFor();
  const rows = await page.locator("tbody tr").count();
  assert.equal(rows, data.counts.rejected);
  await page.locator("tbody tr a").first().click();
  await page.getByText("fewer tokens than its audience needs").waitFor();
  await close();
});

test("the lines to copy pull the corpus", async () => {
  const { page, faults, close } = await openPage(browser, { permissions: ["clipboard-read", "clipboard-write"] });
  await page.goto(`${service.url}/corpora`);
  const card = page.locator("article").first();
  await card.getByRole("button", { name: "Copy: curl" }).click();
  await card.getByText("Copied").waitFor();
  const line = await page.evaluate(() => navigator.clipboard.readText());
  const address = /curl -fLO (\S+)$/.exec(line)?.[1];
  const reply = await fetch(address);
  assert.equal(reply.status, 200, line);
  const bytes = (await reply.arrayBuffer()).byteLength;
  const { data } = await service.rest("GET", `/v1/jobs/${job}/corpus`);
  assert.ok(data.files.some((file) => address.endsWith(file.path) && file.bytes === bytes), address);
  assertClean(faults, "corpora");
  await close();
});

test("a mix is made with the form, and its page becomes ready by itself", async () => {
  const { page, faults, close } = await openPage(browser);
  await page.goto(`${service.url}/corpora`);
  await page.getByRole("link", { name: "New mix" }).click();
  await page.getByLabel("Name").fill(`a mix ${HOSTILE}`);
  await page.getByRole("button", { name: "Mix corpus" }).click();
  await page.getByRole("alert").getByText("choose at least one").waitFor();
  assertClean(faults, "a refused mix", /422/);
  assert.ok((await page.getByLabel("Name").inputValue()).startsWith("a mix "), "what was filled in stays");
  await keepPicture(page, "corpus-refused-wide-light");
  await page.locator(`input[name=source][value="job:${job}"]`).check();
  await page.locator(`input[name="weight-job:${job}"]`).fill("0.5");
  await page.getByRole("button", { name: "Mix corpus" }).click();
  await page.getByRole("heading", { name: "Sources" }).waitFor();
  await page.getByRole("status").getByText("Ready").waitFor({ timeout: 60_000 });
  await page.getByRole("heading", { name: "Pull the corpus" }).waitFor();
  const mix = new URL(page.url()).pathname;
  const { data } = await service.rest("GET", `/v1${mix}/corpus`);
  assert.ok((await page.textContent("dl.figures")).includes(data.rows.toLocaleString("en")), "rows are told");
  assert.equal(await page.locator("main script, main img").count(), 0);
  assertClean(faults, "a mix");
  await close();
  await lookAtAll({
    "corpora-mixed": "/corpora",
    corpus: mix,
    "corpus-new": "/corpora/new",
    plan: `/corpora/plan?available_tokens=${data.tokens}`,
  });
});

test("the preview follows the choice, with and without a script", async () => {
  for (const javaScriptEnabled of [true, false]) {
    const { page, faults, close } = await openPage(browser, { javaScriptEnabled });
    await page.goto(`${service.url}/templates/one-page`);
    await page.getByLabel("Audience").selectOption("toddler");
    await page.getByLabel("Seed set").selectOption("my-topics");
    await page.getByLabel("Seed number").fill("6");
    if (!javaScriptEnabled) await page.getByRole("button", { name: "Show prompt" }).click();
    await page.locator("#preview-result").getByText("Write a page about Topic 6").waitFor();
    assert.match(page.url(), /audience=toddler&seed_set=my-topics&seed=6/);
    assertClean(faults, `preview, script ${javaScriptEnabled}`);
    await close();
  }
});

test("a running job moves on the page by itself, and pauses by keyboard", async () => {
  endpoint.hold();
  const id = await submit(service, "watched", 24);
  const { page, faults, close } = await openPage(browser);
  await page.goto(`${service.url}/jobs/${id}`);
  await service.job(id, (now) => now.state === "running" && now.counts.running > 0, "running");
  await page.getByRole("status").getByText("Running").waitFor();
  endpoint.release(5);
  await page.waitForFunction(() => Number(document.querySelector("#bar [role=progressbar]").ariaValueNow) > 0);
  const ended = await page.evaluate(() => Number(document.querySelector("[data-count=accepted]").textContent));
  assert.ok(ended > 0, "documents were counted without a reload");

  for (let presses = 0; (await focused(page)).text !== "Pause"; presses += 1) {
    assert.ok(presses < 40, "Pause is within reach of Tab");
    await page.keyboard.press("Tab");
  }
  const at = await focused(page);
  assert.ok(at.outlined && at.onScreen, JSON.stringify(at));
  await page.keyboard.press("Enter");
  await page.getByRole("status").getByText("Paused").waitFor();
  assert.equal((await service.rest("GET", `/v1/jobs/${id}`)).data.state, "paused");
  await keepPicture(page, "job-paused-wide-light");

  await page.getByRole("button", { name: "Resume" }).click();
  endpoint.release();
  await page.getByRole("status").getByText("Succeeded").waitFor({ timeout: 60_000 });
  await page.getByRole("heading", { name: "Pull the corpus" }).waitFor();
  assertClean(faults, "a watched job");
  await close();
});

test("the keyboard goes everywhere, and shows where it is", async () => {
  const { page, faults, close } = await openPage(browser);
  await page.goto(service.url);
  await page.keyboard.press("Tab");
  const skip = await focused(page);
  assert.equal(skip.text, "Skip to content");
  assert.ok(skip.onScreen, "the skip link shows itself");
  await page.keyboard.press("Enter");
  assert.equal((await focused(page)).id, "main");
  await page.keyboard.press("Tab");
  const first = await focused(page);
  assert.ok(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)), first.text);

  for (const path of ["/", "/templates/one-page", "/jobs/new", `/jobs/${job}`, "/corpora"]) {
    await page.goto(service.url + path);
    const seen = new Set();
    for (let presses = 0; presses < 70; presses += 1) {
      await page.keyboard.press("Tab");
      const at = await focused(page);
      if (at.tag === "BODY") break;
      assert.ok(at.outlined && at.onScreen, `${path}: ${JSON.stringify(at)}`);
      seen.add(at.text);
    }
    for (const name of ["Audiences", "Templates", "Seed sets", "Jobs", "Corpora", "Endpoints"]) {
      assert.ok(seen.has(name), `${path}: Tab reaches ${name}`);
    }
  }
  assertClean(faults, "keyboard");
  await close();
});

test("everything is done without a script: a job is submitted, paused and cancelled", async () => {
  endpoint.hold();
  const { page, faults, close } = await openPage(browser, { javaScriptEnabled: false, viewport: NARROW });
  await page.goto(`${service.url}/jobs/new`);
  await page.getByLabel("Name").fill("by hand");
  await page.getByLabel("Seed set").selectOption("my-topics");
  await page.getByLabel("scribe").check();
  await page.getByLabel("local").uncheck();
  await page.getByLabel("textbook-chapter").uncheck();
  await page.getByRole("button", { name: "Submit job" }).click();
  const fault = page.getByRole("alert");
  await fault.getByText("at least one template").waitFor();
  assertClean(faults, "a refused form", /422/);
  assert.equal(await page.getByLabel("Name").inputValue(), "by hand", "what was filled in stays");
  await keepPicture(page, "job-refused-narrow-light");

  await page.getByLabel("one-page").check();
  await page.getByRole("button", { name: "Submit job" }).click();
  await page.getByRole("heading", { name: "by hand" }).waitFor();
  assert.equal(await page.locator("button[data-copy]:visible").count(), 0, "no button that needs a script");
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("status").getByText("Paused").waitFor();
  await page.getByRole("button", { name: "Cancel job" }).click();
  await page.getByRole("status").getByText(/Cancel/).waitFor();
  endpoint.release();
  const id = page.url().split("/").pop();
  await service.job(id, (now) => now.state === "cancelled", "cancelled");
  assertClean(faults, "no script");
  await close();
});

test("a page of another site cannot press the buttons", async () => {
  const reply = await fetch(`${service.url}/jobs/${job}/cancel`, {
    method: "POST", headers: { origin: "https://elsewhere.example" }, redirect: "manual",
  });
  assert.equal(reply.status, 403);
});

test("assets are kept for good, under names that change with them", async () => {
  const html = await (await fetch(service.url)).text();
  const names = html.match(/\/assets\/[^"]+/g);
  assert.equal(names.length, 3);
  for (const name of names) {
    const reply = await fetch(service.url + name);
    assert.match(reply.headers.get("cache-control"), /immutable/, name);
    const again = await fetch(service.url + name, { headers: { "if-none-match": reply.headers.get("etag") } });
    assert.equal(again.status, 304, name);
    const unnamed = await fetch(service.url + name.split("?")[0]);
    assert.equal(unnamed.headers.get("cache-control"), "no-cache", name);
  }
});

// The last one, because the first key closes the service for good.
test("with a key made, the dashboard asks for it", async () => {
  const { data } = await service.rest("POST", "/v1/keys", { name: "reader", scopes: ["admin"] });
  service.key = data.key;
  await lookAtAll({ login: "/login" });

  const { page, faults, close } = await openPage(browser);
  await page.goto(`${service.url}/jobs/${job}/documents?verdict=accepted`);
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  assert.equal(await page.locator("nav").count(), 0, "no way round the login");
  await page.getByLabel("API key").fill("hb_0000_wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  assertClean(faults, "a wrong key", /401/);
  await keepPicture(page, "login-refused-wide-light");

  await page.getByLabel("API key").fill(data.key);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Documents" }).waitFor();
  assert.match(page.url(), /documents\?verdict=accepted$/, "back where the reader wanted to go");
  const cookies = await page.context().cookies();
  assert.deepEqual(cookies.map(({ httpOnly, sameSite }) => [httpOnly, sameSite]), [[true, "Strict"]]);
  assert.ok(!cookies[0].value.includes(data.key.split("_").pop()), "the cookie is not the key");

  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await page.goto(`${service.url}/jobs`);
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  assertClean(faults, "in and out");
  await close();
});
