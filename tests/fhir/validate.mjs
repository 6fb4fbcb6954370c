// Turns HL7 v2 messages into FHIR with `resultsync hl7 fhir`, and asks four published libraries and a few rules of our own whether
// everything in it is valid: 0 errors. First it plants defects, and asks the chain whether it finds each.
//
//   node validate.mjs <path of resultsync> [FILE or folder…]
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

let validate;
try {
  ({ validate } = await import("./chain.mjs"));
} catch (error) {
  if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  console.log("skipped: no npm packages @medplum/core and others (npm ci in tests/fhir)");
  process.exit(0);
}
const { defects, good } = await import("./defects.mjs");

const here = path.dirname(fileURLToPath(import.meta.url));
const [resultsync, ...given] = process.argv.slice(2);

let failures = 0;
function fail(...words) {
  failures += 1;
  if (failures <= 100) console.log(...words);
}

// ---- the chain finds what is wrong, and nothing in what is right

for (const error of validate(good())) fail("the good bundle:", error);
for (const [name, plant] of Object.entries(defects)) {
  const bundle = good();
  plant(bundle);
  if (validate(bundle).length === 0) fail("not found:", name);
}

// ---- our messages, and the corpus where it is

function messagesIn(folder) {
  if (!existsSync(folder)) return [];
  if (statSync(folder).isFile()) return [folder];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".hl7"))
    .sort()
    .map((name) => path.join(folder, name));
}

const shared = process.env.RESULTSYNC_SHARED ?? path.join(here, "../../../shared");
const corpus = path.join(shared, "corpus/hl7");
const own = messagesIn(path.join(here, "messages"));
const files = given.length > 0 ? given.flatMap(messagesIn) : [...own, ...messagesIn(corpus)];
if (!existsSync(corpus)) console.log("no ../shared: own messages only");
if (files.length === 0) fail("there are no messages to validate");

function bundlesOf(file, options) {
  const run = spawnSync(resultsync, ["hl7", "fhir", "-o", "ndjson", ...options, file], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (run.status !== 0) fail(file, "exit", run.status, run.stderr);
  const lines = run.stdout.split("\n").filter(Boolean);
  if (lines.length === 0) fail(file, "gave no bundle");
  return lines.map((line) => JSON.parse(line));
}

const counts = {};
const profiles = {};
for (const file of files) {
  for (const options of [[], ["--inline-documents"]]) {
    for (const bundle of bundlesOf(file, options)) {
      for (const error of validate(bundle)) fail(path.basename(file), error);
      if (options.length > 0) continue;
      for (const { resource } of bundle.entry ?? []) {
        counts[resource.resourceType] = (counts[resource.resourceType] ?? 0) + 1;
        for (const profile of resource.meta?.profile ?? []) profiles[profile.split("/").at(-1)] = (profiles[profile.split("/").at(-1)] ?? 0) + 1;
      }
    }
  }
}

// ---- what nobody has sent yet: the same messages with bytes, fields and lines out of place, the same ones in every run

let seed = 1;
function dice(sides) {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * sides);
}

function spoiled(bytes) {
  let text = bytes.toString("latin1");
  for (let times = 1 + dice(6); times > 0; times -= 1) {
    const at = 8 + dice(text.length - 8);
    const from = 8 + dice(text.length - 8);
    const odd = ["|", "^", "~", "&", "\\", "\r", " ", '""', "\u00ff", "\u0000", "-", "<", "0", "LN", "UCUM", "|||||"][dice(16)];
    const piece = text.slice(from, from + dice(40));
    text = [text.slice(0, at) + odd + text.slice(at), text.slice(0, at) + text.slice(at + dice(20)), text.slice(0, at) + piece + text.slice(at)][dice(3)];
  }
  return Buffer.from(text, "latin1");
}

const kMutantsAFile = 20;
let mutants = 0;
const folder = mkdtempSync(path.join(tmpdir(), "resultsync-fhir-"));
try {
  const spoiledFiles = own.flatMap((file) =>
    Array.from({ length: kMutantsAFile }, (_, index) => {
      const name = path.join(folder, `${path.basename(file, ".hl7")}-${index}.hl7`);
      writeFileSync(name, spoiled(readFileSync(file)));
      return name;
    }),
  );
  for (const file of spoiledFiles) {
    for (const bundle of bundlesOf(file, [])) {
      mutants += 1;
      for (const error of validate(bundle)) fail(path.basename(file), error);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

console.log(`${mutants} bundles of spoiled messages`);
console.log(`${files.length} files, ${Object.keys(defects).length} planted defects`);
console.log(counts, profiles);
console.log(failures === 0 ? "0 errors" : `${failures} errors`);
process.exit(failures === 0 ? 0 : 1);
