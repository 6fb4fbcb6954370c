// graphile-worker 0.16: `node graphile.mjs fill N` adds jobs, `node graphile.mjs work` delivers until it is ended.
import { run, makeWorkerUtils } from "graphile-worker";
import pg from "pg";
import { deliver, payload } from "./common.mjs";

const connectionString = process.env.DATABASE;
if (process.argv[2] === "fill") {
  const utils = await makeWorkerUtils({ connectionString });
  await utils.migrate();
  await utils.release();
  const pool = new pg.Pool({ connectionString });
  const jobs = Array.from({ length: Number(process.argv[3]) }, (_, n) => ({ identifier: "deliver", payload: payload(n) }));
  for (let at = 0; at < jobs.length; at += 1000) {
    await pool.query(
      "SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(SELECT json_populate_recordset(null::graphile_worker.job_spec, $1::json)))",
      [JSON.stringify(jobs.slice(at, at + 1000))],
    );
  }
  await pool.end();
} else {
  await run({
    connectionString,
    concurrency: 64,
    maxPoolSize: 20,
    noHandleSignals: true,
    taskList: { deliver: (job, helpers) => deliver(`msg_${helpers.job.id}`, job) },
  });
}
