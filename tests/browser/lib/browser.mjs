// A real browser, and what no page may ever do in it.

import assert from "node:assert/strict";
import { readFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";

import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const AXE = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = [
  // As root there is no sandbox; the pages are our own.
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];

export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 320, height: 700 };

export function launch() {
  return chromium.launch({ executablePath: process.env.HORNBOOK_CHROMIUM || "/usr/bin/chromium", args: FLAGS });
}

/** A page that remembers everything that went wrong in it. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: WIDE, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const faults = [];
  page.on("console", (message) => faults.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText;
    // A stream or a fetch that the page left behind when it was left itself.
    if (why !== "net::ERR_ABORTED") faults.push(`request ${request.url()}: ${why}`);
  });
  page.on("response", (reply) => {
    if (reply.status() >= 400) faults.push(`${reply.status()} ${reply.url()}`);
  });
  page.on("dialog", (dialog) => { faults.push(`dialog: ${dialog.message()}`); void dialog.dismiss(); });
  return { page, faults, close: () => context.close() };
}

/** Nothing went wrong up to here, but for what `expected` (a pattern) allows. */
export function assertClean(faults, where, expected) {
  const left = faults.splice(0).filter((fault) => !expected?.test(fault));
  assert.deepEqual(left, [], where);
}

/** The page does not scroll sideways, and what would is in a box that the keyboard can reach. */
export async function assertFits(page, where) {
  const found = await page.evaluate(() => {
    const boxes = [...document.querySelectorAll("main *")].filter(
      (box) => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX === "auto",
    );
    return {
      page: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      unreachable: boxes.filter((box) => box.tabIndex < 0).map((box) => box.outerHTML.slice(0, 120)),
    };
  });
  assert.deepEqual(found, { page: 0, unreachable: [] }, `${where} fits`);
}

/** No rule of axe-core is broken. */
export async function assertAccessible(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map((rule) => `${rule.impact} ${rule.id}: ${rule.nodes.map((node) => node.target.join(" ")).join("; ")}`);
  });
  assert.deepEqual(found, [], `${where} is accessible`);
}

/** Keeps a picture of the page where HORNBOOK_SCREENSHOTS says. */
export async function keepPicture(page, name) {
  const folder = process.env.HORNBOOK_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

/** What the keyboard is on, and whether a reader can see that it is. */
export function focused(page) {
  return page.evaluate(() => {
    const at = document.activeElement;
    const box = at.getBoundingClientRect();
    const style = getComputedStyle(at);
    return {
      text: (at.textContent || at.value || "").trim().slice(0, 60),
      tag: at.tagName,
      id: at.id,
      outlined: style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2,
      onScreen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
    };
  });
}
