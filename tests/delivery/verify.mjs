// Verifies what a receiver acknowledged, one JSON object a line on stdin ({secret, headers, body in base64}), with the libraries that
// applications use. Prints how many each of them accepts.
import { createInterface } from "node:readline";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";

const accepted = { standardwebhooks: 0, svix: 0 };
for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  const text = Buffer.from(body, "base64").toString("utf8");
  for (const [name, Library] of [["standardwebhooks", StandardWebhook], ["svix", SvixWebhook]]) {
    try {
      new Library(secret).verify(text, headers);
      accepted[name] += 1;
    } catch (error) {
      process.stderr.write(`${name}: ${headers["webhook-id"]}: ${error.message}\n`);
    }
  }
}
console.log(JSON.stringify(accepted));
