// What both queues do with a job: sign as Standard Webhooks has it, and POST.
import { createHmac } from "node:crypto";
import { Pool } from "undici";

const key = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=", "base64");
const sink = new Pool(`http://${process.env.SINK}`, { connections: 64 });

export function payload(n) {
  return {
    type: "result",
    timestamp: "2026-11-25T21:41:23.138942Z",
    data: {
      cursor: `f1.c037b9c264912612.55579b557896d0ce.${n}`, practitioner_id: "anna", source: "rupa", clinic_id: "cli_Epqpo2g",
      event_id: `evt_${n}`, order_id: `ord_${n}`, ordered_test_id: `ordts_${n}`, version: 1, current_version: 1, previous_version: null,
      current: true, backfill: false, superseded: false, replay: false, link: `/v1/orders/ord_${n}?source=rupa`,
    },
  };
}

export async function deliver(id, job) {
  const body = JSON.stringify(job);
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  const answer = await sink.request({
    method: "POST",
    path: "/hook",
    headers: { "content-type": "application/json", "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": `v1,${signature}` },
    body,
  });
  await answer.body.dump();
  if (answer.statusCode < 200 || answer.statusCode > 299) throw new Error(`status ${answer.statusCode}`);
}
