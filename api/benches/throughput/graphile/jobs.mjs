// Jobs that do nothing, by graphile-worker as its page on performance tunes it, but for a larger local queue, which is faster with
// so few connections. A line on standard input at a time:
//
//   queue COUNT    writes so many jobs and leaves them uncommitted; answers `queued`
//   run            commits them, and answers `done` once each has run and none is left in the table
//
// The worker runs all the while, warm and woken by the commit, so that what is timed between the two is its work and nothing else.
import { createInterface } from "node:readline";
import { Logger, run } from "graphile-worker";
import pg from "pg";

const connectionString = process.env.DATABASE_URL;
const connections = Number(process.argv[2]);
const quiet = new Logger(() => (level, message) => {
  if (level === "error") console.error(message);
});
let left = 0;
let finished = () => {};
const runner = await run({
  noHandleSignals: true,
  taskList: {
    nothing: async () => {
      left -= 1;
      if (left === 0) finished();
    },
  },
  preset: {
    worker: {
      connectionString,
      // One listens; as many as Plaudit's workers have are left.
      maxPoolSize: connections + 1,
      concurrentJobs: 24,
      localQueue: { size: 2000 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
      logger: quiet,
    },
  },
});
const client = new pg.Client({ connectionString });
await client.connect();
console.log("ready");

const JOBS = `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
  SELECT ROW('nothing', json_build_object('number', i), NULL, NULL, NULL, NULL, NULL, NULL)::graphile_worker.job_spec
  FROM generate_series(1, $1::int) AS i))`;

for await (const line of createInterface({ input: process.stdin })) {
  const [word, count] = line.split(" ");
  if (word === "queue") {
    left = Number(count);
    await client.query("BEGIN");
    await client.query(JOBS, [left]);
    console.log("queued");
  } else {
    const ran = new Promise((resolve) => {
      finished = resolve;
    });
    await client.query("COMMIT");
    await ran;
    // That a job has run is written in batches.
    while ((await client.query("SELECT FROM graphile_worker._private_jobs LIMIT 1")).rowCount > 0);
    console.log("done");
  }
}
await runner.stop();
await client.end();
