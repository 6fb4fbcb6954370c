// Asks resultsync and the published libraries about the same requests. Where they differ, the difference must be listed here with its
// reason (and in docs/reference/signatures.md); anything else fails.
//
//   node signatures.mjs <path of signature_verdicts>
import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";

let StandardWebhook, SvixWebhook;
try {
  ({ Webhook: StandardWebhook } = await import("standardwebhooks"));
  ({ Webhook: SvixWebhook } = await import("svix"));
} catch {
  console.log("skipped: no npm packages standardwebhooks and svix (npm ci in tests/differential)");
  process.exit(0);
}

const now = 1_700_000_000;
Date.now = () => now * 1000;

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const key = Buffer.from(secret.slice(6), "base64");
const mac = (id, t, body, k = key) => createHmac("sha256", k).update(`${id}.${t}.`).update(body).digest("base64");
const foreign = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";

// A right request, changed as a case says. What is signed follows `signed`, which defaults to what is sent.
function request({ id = "msg_1", t = String(now), body = '{"test": 2432232314}', signed = {}, key: k = key } = {}) {
  const signature = "v1," + mac(signed.id ?? id, signed.t ?? t, signed.body ?? body, k);
  return { id, t, body: Buffer.from(body), signature };
}

const cases = [];
// `differs`: why resultsync does not answer as the library does.
function check(name, change, differs) {
  const one = { secret, scheme: "standard-webhooks", prefix: "webhook", ...request(change), ...change?.sent };
  one.headers ??= Object.entries({ id: one.id, timestamp: one.t, signature: one.signature })
    .filter(([, value]) => value !== undefined)
    .map(([part, value]) => [`${one.prefix}-${part}`, value]);
  cases.push({ name, differs, ...one });
}
const good = request().signature;

check("right");
check("right, secret without prefix", { sent: { secret: secret.slice(6) } });
check("header names in mixed case", { sent: { headers: [["Webhook-Id", "msg_1"], ["WEBHOOK-TIMESTAMP", String(now)], ["webHook-Signature", good]] } });
check("no id", { sent: { id: undefined } });
check("no timestamp", { sent: { t: undefined } });
check("no signature", { sent: { signature: undefined } });
check("empty body", { body: "" });
check("wrong body", { signed: { body: "other" } });
check("wrong id", { signed: { id: "msg_2" } });
check("wrong timestamp", { signed: { t: String(now - 1) } });
check("exactly 300 s old", { t: String(now - 300) });
check("301 s old", { t: String(now - 301) });
check("exactly 300 s ahead", { t: String(now + 300) });
check("301 s ahead", { t: String(now + 301) });
check("timestamp hello", { t: "hello" });
check("timestamp empty", { t: "" });
check("foreign signature", { sent: { signature: foreign } });
check("empty signature", { sent: { signature: "v1," } });
check("signature without version", { sent: { signature: good.slice(3) } });
check("only v2", { sent: { signature: "v2," + good.slice(3) } });
check("several, one right", { sent: { signature: `${foreign} v2,abc ${good} ${foreign}` } });
check("several, none right", { sent: { signature: `${foreign} ${foreign}` } });
check("unpadded signature", { sent: { signature: good.replace(/=+$/, "") } });
check("empty secret", { sent: { secret: "" } });
check("bare whsec_", { sent: { secret: "whsec_" } });
check("svix headers", { sent: { scheme: "svix", prefix: "svix" } });
check("webhook headers to svix", { sent: { scheme: "svix" } });
check("svix, wrong body", { signed: { body: "other" }, sent: { scheme: "svix", prefix: "svix" } });

const digits = "a timestamp is digits alone";
check("timestamp with junk", { t: `${now}junk`, signed: { t: String(now) } }, digits);
check("timestamp with fraction", { t: `${now}.9`, signed: { t: String(now) } }, digits);
check("timestamp with plus", { t: `+${now}`, signed: { t: String(now) } }, digits);
check("timestamp with space", { t: ` ${now}`, signed: { t: String(now) } }, digits);
check("timestamp with a leading zero, signed without", { t: `0${now}`, signed: { t: String(now) } }, "the timestamp is signed as it was sent");
check("timestamp with a leading zero, signed as sent", { t: `0${now}` }, "the timestamp is signed as it was sent");
const list = "the list of signatures is read strictly";
check("signature with an extra part", { sent: { signature: `${good},extra` } }, list);
check("two spaces in the list", { sent: { signature: `${foreign}  ${good}` } }, list);
check("an element without version", { sent: { signature: `unversioned ${good}` } }, list);
check("a broken signature before a right one", { sent: { signature: `v1,#### ${good}` } }, list);
check("seventeen signatures", { sent: { signature: `${(foreign + " ").repeat(16)}${good}` } }, "at most sixteen signatures are looked at");
check("id with a dot", { id: "msg.1" }, "a dot makes what is signed ambiguous");
check("id with a space", { id: "msg 1" }, "an id is visible ASCII");
const anyBody = "any bytes can be a body";
check("body that is not UTF-8", { body: Buffer.from([0xff, 0xfe, 0x00, 0x80]) }, anyBody);
check("body that is not JSON", { body: "not json" }, anyBody);
const weak = Buffer.alloc(16, 7);
check("secret of 16 bytes", { key: weak, sent: { secret: "whsec_" + weak.toString("base64") } }, "secrets below 24 bytes are refused");
check(
  "svix signature with webhook id and timestamp",
  { sent: { scheme: "svix", headers: [["webhook-id", "msg_1"], ["webhook-timestamp", String(now)], ["svix-signature", good]] } },
  "headers of two sets are never mixed",
);

// And a thousand random ones: any bytes as body, a random byte of a random part changed in three of four.
let state = 20240613;
const random = (n) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % n;
for (let i = 0; i < 1000; i++) {
  const body = JSON.stringify({ n: i, text: "x".repeat(random(50)) });
  const change = { id: `msg_${i}`, t: String(now - 400 + random(800)), body };
  const made = request(change);
  const part = ["none", "id", "t", "signature"][random(4)];
  if (part !== "none") {
    const at = random(made[part].length);
    const byte = "0123456789abcdefXYZ+/=_-"[random(24)];
    made[part] = made[part].slice(0, at) + byte + made[part].slice(at + 1);
  }
  check(`random ${i} (${part})`, { ...change, sent: { id: made.id, t: made.t, signature: made.signature } });
}

function libraryVerdict(one) {
  try {
    const Library = one.scheme === "svix" ? SvixWebhook : StandardWebhook;
    new Library(one.secret).verify(one.body, Object.fromEntries(one.headers));
    return "accepted";
  } catch (error) {
    return `refused (${error.message})`;
  }
}

const encode = (text) => Buffer.from(text).toString("base64");
const lines = cases.map((one) => [one.scheme, String(now), one.secret, one.body, ...one.headers.flat()].map(encode).join(" "));
const ours = spawnSync(process.argv[2], { input: lines.join("\n") + "\n", encoding: "utf8" });
if (ours.status !== 0) {
  console.error(`signature_verdicts ended with ${ours.status}: ${ours.stderr}`);
  process.exit(1);
}
const verdicts = ours.stdout.trimEnd().split("\n");

let failures = 0;
let agreed = 0;
const listed = [];
cases.forEach((one, i) => {
  const theirs = libraryVerdict(one);
  const same = (verdicts[i] === "accepted") === (theirs === "accepted");
  if (same) agreed++;
  if (!same && one.differs) listed.push([one.name, verdicts[i], theirs, one.differs]);
  if (same === Boolean(one.differs)) {
    failures++;
    console.error(`${one.name}: resultsync ${verdicts[i]}, library ${theirs}${same ? "; listed as a difference, and is none" : ""}`);
  }
});
for (const row of listed) console.log(row.join(" | "));
console.log(`${cases.length} requests: ${agreed} alike, ${listed.length} listed differences, ${failures} failures`);
process.exit(failures === 0 ? 0 : 1);
