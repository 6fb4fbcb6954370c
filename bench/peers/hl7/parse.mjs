// One of the parsers of npm, reading the same message over and over with every field, repetition, component and subcomponent visited.
// Prints one JSON object like hl7_speed.
//
//   node parse.mjs node-hl7-client|medplum|simple-hl7 SECONDS FILE
import { readFileSync } from "node:fs";

// A text, or a list of what it consists of, however deep.
function length(value) {
  if (typeof value === "string") return value.length;
  let sum = 0;
  for (const part of value) sum += length(part);
  return sum;
}

const works = {
  async "node-hl7-client"() {
    const { Message } = await import("node-hl7-client");
    return (text) => {
      let sum = 0;
      for (const segment of new Message({ text }).children)
        for (const field of segment.children.slice(1)) // the first is the segment's name
          for (const repetition of field.children)
            for (const component of repetition.children)
              for (const part of component.children) sum += part.toString().length;
      return sum;
    };
  },
  async medplum() {
    const { Hl7Message } = await import("@medplum/core");
    return (text) => {
      let sum = 0;
      for (const segment of Hl7Message.parse(text).segments)
        for (const field of segment.fields) for (const repetition of field.components) sum += length(repetition);
      return sum;
    };
  },
  async "simple-hl7"() {
    const { default: simple } = await import("simple-hl7");
    const parser = new simple.Parser({ segmentSeperator: "\r" });
    const visit = (node) => (typeof node === "string" ? node.length : length_of(node.value ?? node));
    const length_of = (list) => (typeof list === "string" ? list.length : list.reduce((sum, part) => sum + visit(part), 0));
    return (text) => {
      const message = parser.parse(text);
      let sum = 0;
      for (const segment of [message.header, ...message.segments]) for (const field of segment.fields) sum += visit(field);
      return sum;
    };
  },
};

const [name, seconds, file] = process.argv.slice(2);
let work;
try {
  work = await works[name]();
} catch {
  console.log(`skipped: no ${name}`);
  process.exit(0);
}
const text = readFileSync(file, "utf8");
const bytes = Buffer.byteLength(text);
let read = 0;
const rounds = (count) => {
  for (let i = 0; i < count; ++i) read += work(text);
};
rounds(2000); // warm: compiled by now
const wall = performance.now();
const before = process.cpuUsage();
let messages = 0;
let took = 0;
do {
  rounds(50);
  messages += 50;
  const { user, system } = process.cpuUsage(before);
  // The less of the two: other processes do not count, nor does what the runtime does on other cores meanwhile.
  took = Math.min((user + system) / 1e6, (performance.now() - wall) / 1e3);
} while (took < Number(seconds));
console.log(JSON.stringify({ work: name, messages, bytes: messages * bytes, seconds: took, characters: read / (messages + 2000) }));
