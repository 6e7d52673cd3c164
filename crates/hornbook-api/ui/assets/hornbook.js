// Hornbook's dashboard: copy buttons, a live preview and a live job.
// Every page works without this file; it only saves clicks and reloads.

/** Least time between two fetches of a job's page, in milliseconds. */
const REFRESH_MS = 4000;
/** Wait after the last keystroke before a preview is fetched, in milliseconds. */
const TYPING_MS = 250;

/** The document behind `url`, or null when it cannot be had right now. */
async function fetchPage(url, signal) {
  try {
    const reply = await fetch(url, { headers: { accept: "text/html" }, signal });
    if (!reply.ok) return null;
    return new DOMParser().parseFromString(await reply.text(), "text/html");
  } catch {
    return null;
  }
}

function copyButtons(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      const before = button.textContent;
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = before; }, 1600);
      } catch {
        // No clipboard without https or localhost: leave the text selected instead.
        getSelection().selectAllChildren(source);
        button.textContent = "Selected";
      }
    });
  }
}

function livePreview(form) {
  const selector = form.dataset.preview;
  let timer = 0;
  let pending = new AbortController();
  const show = async () => {
    if (!form.checkValidity()) return;
    pending.abort();
    pending = new AbortController();
    const url = new URL(form.action);
    url.search = new URLSearchParams(new FormData(form)).toString();
    url.hash = "";
    const page = await fetchPage(url, pending.signal);
    const fresh = page?.querySelector(selector);
    if (!fresh) return;
    document.querySelector(selector).replaceChildren(...fresh.childNodes);
    const freshSeed = page.querySelector("input[name=seed]");
    const seed = form.querySelector("input[name=seed]");
    if (freshSeed && seed) seed.max = freshSeed.max;
    history.replaceState(null, "", url);
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, TYPING_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    show();
  });
}

const KINDS = ["accepted", "rejected", "failed", "running"];

/** Moves the bar and the counts to `counts`, as the stored event has them. */
function showCounts(root, counts) {
  const total = Math.max(counts.total, 1);
  let x = 0;
  for (const kind of KINDS) {
    const width = Math.min((counts[kind] / total) * 1000, 1000 - x);
    const rect = root.querySelector(`#bar .fill-${kind}`);
    rect?.setAttribute("x", x.toFixed(1));
    rect?.setAttribute("width", width.toFixed(1));
    x += width;
  }
  for (const kind of [...KINDS, "total"]) {
    const place = root.querySelector(`[data-count="${kind}"]`);
    if (place) place.textContent = Number(counts[kind]).toLocaleString("en");
  }
  const ended = counts.accepted + counts.rejected + counts.failed;
  const bar = root.querySelector("#bar [role=progressbar]");
  bar?.setAttribute("aria-valuenow", String(Math.floor((ended / total) * 100)));
  bar?.setAttribute("aria-valuetext", `${ended} of ${counts.total}`);
}

/** Replaces the live part of the page by a fresh one, keeping what the reader has opened and focused. */
function replaceLive(live, fresh) {
  const opened = new Set();
  for (const details of live.querySelectorAll("details[open]")) {
    opened.add(details.closest("[aria-labelledby]")?.getAttribute("aria-labelledby"));
  }
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  const action = focused?.closest("form")?.getAttribute("action");
  const href = focused?.getAttribute("href");
  live.replaceChildren(...fresh.childNodes);
  live.dataset.ended = fresh.dataset.ended;
  live.dataset.stream = fresh.dataset.stream;
  for (const details of live.querySelectorAll("details")) {
    details.open = opened.has(details.closest("[aria-labelledby]")?.getAttribute("aria-labelledby"));
  }
  if (action) live.querySelector(`form[action="${CSS.escape(action)}"] button`)?.focus();
  else if (href) live.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus();
  copyButtons(live);
}

function liveJob(live) {
  if (live.dataset.ended === "true") return;
  let last = 0;
  let timer = 0;
  let events = null;
  const refresh = async () => {
    clearTimeout(timer);
    timer = 0;
    last = Date.now();
    const page = await fetchPage(location.href);
    const fresh = page?.getElementById("live");
    if (!fresh) return;
    replaceLive(live, fresh);
    if (live.dataset.ended === "true") leave();
  };
  const soon = (wait) => {
    if (!timer) timer = setTimeout(refresh, Math.max(wait, last + wait - Date.now()));
  };
  const follow = () => {
    // A reconnect begins where the page began, so what was seen before is passed over.
    let seen = 0;
    events = new EventSource(live.dataset.stream);
    const on = (kind, act) => events.addEventListener(kind, (event) => {
      const number = Number(event.lastEventId);
      if (number <= seen) return;
      seen = number;
      act(JSON.parse(event.data).data);
    });
    on("progress", (data) => {
      showCounts(live, data.counts);
      soon(REFRESH_MS);
    });
    on("state", () => soon(200));
    on("warning", () => soon(200));
  };
  const leave = () => {
    events?.close();
    events = null;
  };
  // A browser allows few connections to one service: a page that nobody sees holds none.
  document.addEventListener("visibilitychange", async () => {
    leave();
    if (document.hidden || live.dataset.ended === "true") return;
    await refresh();
    if (!events && !document.hidden && live.dataset.ended !== "true") follow();
  });
  addEventListener("pagehide", leave);
  if (!document.hidden) follow();
}

/** Keeps a page fresh that has no stream of events, until what it shows has ended. */
function livePoll(live) {
  if (live.dataset.ended === "true") return;
  const timer = setInterval(async () => {
    if (document.hidden) return;
    const page = await fetchPage(location.href);
    const fresh = page?.getElementById("live");
    if (!fresh) return;
    replaceLive(live, fresh);
    if (live.dataset.ended === "true") clearInterval(timer);
  }, REFRESH_MS);
}

copyButtons(document);
for (const form of document.querySelectorAll("form[data-preview]")) livePreview(form);
const live = document.getElementById("live");
if (live?.dataset.poll) livePoll(live);
else if (live) liveJob(live);
