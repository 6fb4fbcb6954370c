// The receiver that people write for PostgreSQL in Node: fastify on every core, HMAC over "t.body", pg's pool, and a commit with
// synchronous_commit=on before each 200. BATCH_MS=0: one INSERT a request; else a writer gathers for so long and inserts all at once.
//
//   PORT, DATABASE, SECRET_FILE, BATCH_MS, WORKERS in the environment
import cluster from "node:cluster";
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import fastify from "fastify";
import pg from "pg";

const workers = Number(process.env.WORKERS ?? 2);
const batchMs = Number(process.env.BATCH_MS ?? 0);
const insert = "INSERT INTO events SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[]) ON CONFLICT DO NOTHING";

if (cluster.isPrimary) {
  const client = new pg.Client(process.env.DATABASE);
  await client.connect();
  await client.query("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, type TEXT NOT NULL, body BYTEA NOT NULL)");
  await client.end();
  for (let i = 0; i < workers; ++i) cluster.fork();
  process.on("SIGTERM", () => process.exit(0));
} else {
  const secret = readFileSync(process.env.SECRET_FILE).toString().trim();
  const pool = new pg.Pool({ connectionString: process.env.DATABASE, max: 8 });
  let waiting = [];
  const flush = async () => {
    const batch = waiting;
    waiting = [];
    try {
      await pool.query({ name: "batch", text: insert, values: [batch.map((one) => one.id), batch.map((one) => one.type), batch.map((one) => one.body)] });
      for (const one of batch) one.done();
    } catch (error) {
      for (const one of batch) one.failed(error);
    }
  };
  const store = (event, body) =>
    batchMs === 0
      ? pool.query({ name: "one", text: "INSERT INTO events VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", values: [event.id, event.type, body] })
      : new Promise((done, failed) => {
          if (waiting.push({ id: event.id, type: event.type, body, done, failed }) === 1) setTimeout(flush, batchMs);
        });
  const app = fastify({ bodyLimit: 32 << 20 });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.post("/webhook", async (request, reply) => {
    const [time, signature = ""] = (request.headers["rupa-signature"] ?? "").split(",v1=");
    const mac = createHmac("sha256", secret).update(`${time.slice(2)}.`).update(request.body).digest("hex");
    if (mac.length !== signature.length || !timingSafeEqual(Buffer.from(mac), Buffer.from(signature))) return reply.code(400).send();
    await store(JSON.parse(request.body), request.body);
    return { status: "success" };
  });
  await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
}
