// pg-boss 10: `node pgboss.mjs fill N` adds jobs, `node pgboss.mjs work` delivers until it is ended.
import PgBoss from "pg-boss";
import { deliver, payload } from "./common.mjs";

const boss = new PgBoss({ connectionString: process.env.DATABASE, max: 20 });
await boss.start();
await boss.createQueue("deliver");
if (process.argv[2] === "fill") {
  const jobs = Array.from({ length: Number(process.argv[3]) }, (_, n) => ({ name: "deliver", data: payload(n) }));
  for (let at = 0; at < jobs.length; at += 1000) await boss.insert(jobs.slice(at, at + 1000));
  await boss.stop();
} else {
  // Four workers of 64 jobs a batch; a batch is completed as one. Polling as often as it allows.
  for (let worker = 0; worker < 4; worker += 1) {
    await boss.work("deliver", { batchSize: 64, pollingIntervalSeconds: 0.5 }, async (jobs) => {
      await Promise.all(jobs.map((job) => deliver(job.id, job.data)));
    });
  }
}
