// What node-hl7-client (npm) reads in messages: {"message": text} a line in, {"segments": [[name, {path: text}]]} a line out, or
// {"error"}. A path is field.repetition.component.subcomponent; empty values are left out.
import { createInterface } from "node:readline";

let Message;
try {
  ({ Message } = await import("node-hl7-client"));
} catch {
  console.log("skipped");
  process.exit(0);
}

function segments(text) {
  return new Message({ text }).children.map((segment) => {
    const header = segment.name === "MSH";
    const values = {};
    segment.children.forEach((field, f) => {
      if (f === 0 || (header && f === 1)) return; // the name; MSH-2
      field.children.forEach((repetition, r) =>
        repetition.children.forEach((component, c) =>
          component.children.forEach((part, s) => {
            const value = part.toString();
            if (value !== "") values[`${header ? f + 1 : f}.${r + 1}.${c + 1}.${s + 1}`] = value;
          })));
    });
    return [segment.name, values];
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { segments: segments(JSON.parse(line).message) };
  } catch (error) {
    answer = { error: String(error.message ?? error).slice(0, 80) };
  }
  console.log(JSON.stringify(answer));
}
