// A server that speaks the OpenAI protocol and answers when it is told to.

import { createServer } from "node:http";

/** Text as nobody should ever write it; every page must show it as text. */
export const HOSTILE =
  "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\"'><b>bold</b> \u202Eevil {{ 7*7 }} &lt;";

const WORDS =
  "light leaf water root green sun air plant grows slowly under warm summer rain while quiet bees visit every open flower " +
  "and carry yellow dust from one bright blossom to another until small seeds ripen fall travel sleep wake sprout climb";

export class Endpoint {
  static async start() {
    const endpoint = new Endpoint();
    await new Promise((resolve) => endpoint.server.listen(0, "127.0.0.1", resolve));
    return endpoint;
  }

  constructor() {
    this.answered = 0;
    this.open = true;
    this.waiting = [];
    this.server = createServer((request, reply) => {
      let body = "";
      request.on("data", (bytes) => { body += bytes; });
      request.on("end", () => this.arrive(body, reply));
    });
  }

  get baseUrl() {
    return `http://127.0.0.1:${this.server.address().port}/v1`;
  }

  /** From now on nothing is answered until `release`. */
  hold() {
    this.open = false;
  }

  /** Answers `count` of those that wait, or all of them and whatever comes. */
  release(count = Infinity) {
    if (count === Infinity) this.open = true;
    for (const answer of this.waiting.splice(0, count)) answer();
  }

  arrive(body, reply) {
    const answer = () => {
      reply.writeHead(200, { "content-type": "application/json" });
      reply.end(JSON.stringify(completion(this.answered++, JSON.parse(body))));
    };
    if (this.open) answer();
    else this.waiting.push(answer);
  }

  async stop() {
    this.release();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Answer `number`: mostly a text of its own, every ninth one hostile, every tenth too short. */
function completion(number, request) {
  let content = "Too short.";
  if (number % 10 !== 9) {
    const words = WORDS.split(" ");
    const turned = words.map((_, index) => words[(index * (7 + 2 * (number % 9)) + number) % words.length]);
    content = `Text ${number} begins. ${turned.join(" ")}.\n\nIt has a second part, number ${number}.`;
    if (number % 9 === 1) content = `${HOSTILE}\n\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645\n${content}`;
  }
  return {
    id: `answer-${number}`,
    object: "chat.completion",
    model: request.model,
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 200, completion_tokens: number % 10 === 9 ? 3 : 180, total_tokens: 380 },
  };
}
