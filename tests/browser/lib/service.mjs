// The real service, as a user starts it, on a port and in a directory of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

/** Longest wait for the first start, which makes a database, in milliseconds. */
const START_MS = 90_000;
/** Longest wait for a stop, in milliseconds. */
const STOP_MS = 60_000;

export class Service {
  /** Starts `hornbook serve` and waits until it listens. */
  static async start() {
    const binary = process.env.HORNBOOK_BIN;
    if (!binary) throw new Error("HORNBOOK_BIN is not set: name the hornbook binary to test");
    const folder = await mkdtemp(path.join(tmpdir(), "hornbook-browser-"));
    // The database's own user has to pass through.
    await chmod(folder, 0o755);
    const flags = ["--listen", "127.0.0.1:0", "--data-dir", path.join(folder, "data"), "--no-local-engine"];
    const child = spawn(binary, ["serve", ...flags], {
      cwd: folder,
      env: environment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const service = new Service(folder, child);
    child.stderr.on("data", (bytes) => { service.log += bytes; });
    try {
      service.url = await service.listening();
    } catch (error) {
      await service.stop();
      throw new Error(`${error.message}\n${service.log.slice(-4000)}`);
    }
    return service;
  }

  constructor(folder, child) {
    this.folder = folder;
    this.child = child;
    this.log = "";
    this.ended = once(child, "exit");
    this.key = null;
  }

  async listening() {
    const lines = createInterface({ input: this.child.stdout });
    const found = new Promise((resolve) => {
      lines.on("line", (line) => {
        const address = /^listening on (http:\S+)$/.exec(line)?.[1];
        if (address) resolve(address);
      });
    });
    return Promise.race([
      found,
      this.ended.then(([code]) => { throw new Error(`the service ended with ${code}`); }),
      late(START_MS, "the service does not listen"),
    ]);
  }

  /** Stops it as Ctrl-C does; the error is what it should not have done. */
  async stop() {
    if (this.child.exitCode === null) this.child.kill("SIGTERM");
    try {
      const [code, signal] = await Promise.race([this.ended, late(STOP_MS, "the service does not stop")]);
      if (code !== 0) throw new Error(`the service ended with ${code ?? signal}\n${this.log.slice(-4000)}`);
    } finally {
      this.child.kill("SIGKILL");
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  /** One REST call; an answer that is no success is an error, unless `expect` names its status. */
  async rest(method, where, body, { headers = {}, expect } = {}) {
    const json = body !== undefined && typeof body !== "string";
    const reply = await fetch(this.url + where, {
      method,
      headers: {
        ...(json ? { "content-type": "application/json" } : {}),
        ...(this.key ? { authorization: `Bearer ${this.key}` } : {}),
        ...headers,
      },
      body: json ? JSON.stringify(body) : body,
    });
    const text = await reply.text();
    if (expect ? reply.status !== expect : !reply.ok) {
      throw new Error(`${method} ${where}: ${reply.status} ${text}`);
    }
    return { headers: reply.headers, data: text ? JSON.parse(text) : null };
  }

  /** Waits until the job `id` is as `is` wants it. */
  async job(id, is, what) {
    const end = Date.now() + 60_000;
    for (;;) {
      const { data } = await this.rest("GET", `/v1/jobs/${id}`);
      if (is(data)) return data;
      if (Date.now() > end) throw new Error(`job does not get ${what}: ${JSON.stringify(data.counts)} ${data.state}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** The tests' surroundings are not the service's configuration, but for the database. */
function environment() {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("HORNBOOK_") || name === "HORNBOOK_PG_BIN",
  );
  return Object.fromEntries(kept);
}

function late(milliseconds, what) {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${what} within ${milliseconds} ms`)), milliseconds).unref();
  });
}
