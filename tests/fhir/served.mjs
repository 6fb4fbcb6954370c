// Whether what a running server answered is valid FHIR: resources, one a line, on stdin. tests/e2e/test_results.py asks.
import { readFileSync } from "node:fs";
import { validateAnswer } from "./chain.mjs";

const lines = readFileSync(0, "utf8").split("\n").filter(Boolean);
let errors = 0;
for (const line of lines) {
  const answer = JSON.parse(line);
  for (const error of validateAnswer(answer)) {
    errors += 1;
    if (errors <= 50) console.log(answer.resourceType, answer.link?.[0]?.url ?? "", error);
  }
}
console.log(`${lines.length} answers, ${errors} errors`);
process.exit(errors === 0 ? 0 : 1);
