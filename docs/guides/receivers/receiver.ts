// A complete receiver of resultsync's webhooks, on Node alone: it verifies, keeps each webhook once, and acknowledges.
//
//   WEBHOOK_SECRET=whsec_… RESULTSYNC_URL=http://127.0.0.1:8081 RESULTSYNC_KEY=… node receiver.js 9000
import { createHmac, timingSafeEqual } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";

interface Webhook {
  type: string;
  data: { practitioner_id: string; cursor: string; order_id: string; version?: number };
}

const key = Buffer.from((process.env.WEBHOOK_SECRET ?? "").replace(/^whsec_/, ""), "base64");
const toleranceSeconds = 300;

function header(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

// Standard Webhooks: HMAC-SHA256 over id.timestamp.body, on the raw bytes.
function isGenuine(headers: IncomingHttpHeaders, body: Buffer): boolean {
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  if (!/^[0-9]{1,12}$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > toleranceSeconds) return false;
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  return header(headers, "webhook-signature").split(" ").some((given) => {
    const signature = given.startsWith("v1,") ? Buffer.from(given.slice(3), "base64") : Buffer.alloc(0);
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  });
}

// What was kept: a line for each webhook, synced before it is answered. Yours is a table with a unique key.
class Store {
  private readonly ids = new Set<string>();
  private readonly file: number;

  constructor(path: string) {
    if (existsSync(path)) {
      for (const line of readFileSync(path, "utf8").split("\n")) if (line !== "") this.ids.add(line.split(" ", 1)[0] ?? "");
    }
    this.file = openSync(path, "a");
    process.on("exit", () => closeSync(this.file));
  }

  // False if it was there already.
  keep(id: string, body: Buffer): boolean {
    if (this.ids.has(id)) return false;
    writeSync(this.file, `${id} ${body.toString("base64")}\n`);
    fsyncSync(this.file);
    this.ids.add(id);
    return true;
  }
}

// Tells resultsync that the item is in the record.
async function acknowledge(webhook: Webhook): Promise<void> {
  await fetch(`${process.env.RESULTSYNC_URL}/v1/feed/ack`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.RESULTSYNC_KEY}`, "Content-Type": "application/json" },
    body: JSON.stringify({ practitioner: webhook.data.practitioner_id, items: [webhook.data.cursor] }),
  });
}

const store = new Store(process.argv[3] ?? "webhooks.txt");
const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    if (!isGenuine(request.headers, body)) {
      response.writeHead(401).end();
      return;
    }
    const isNew = store.keep(header(request.headers, "webhook-id"), body);
    response.writeHead(200).end();
    const webhook = JSON.parse(body.toString("utf8")) as Webhook;
    if (!isNew || (webhook.type !== "result" && webhook.type !== "order")) return;
    console.log(webhook.type, webhook.data.order_id, webhook.data.version ?? "");
    void acknowledge(webhook);
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => {
  const address = server.address();
  console.log("listening", typeof address === "object" && address !== null ? address.port : "");
});
