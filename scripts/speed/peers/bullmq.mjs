// Row 11's peer: as many no-op jobs as asked for, by a worker of BullMQ with the same concurrency.
import { createRequire } from "node:module";

const [port, jobs, concurrency, modules] = process.argv.slice(2);
const { Queue, Worker } = createRequire(`${modules}/`)("bullmq");
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
const name = `peer-${process.pid}`;

const queue = new Queue(name, { connection });
for (let pushed = 0; pushed < Number(jobs); pushed += 1000) {
  const many = Math.min(1000, Number(jobs) - pushed);
  const options = { removeOnComplete: true };
  await queue.addBulk(Array.from({ length: many }, () => ({ name: "tick", data: { pushed: 1 }, opts: options })));
}
let done = 0;
let began;
const cpuBefore = process.cpuUsage();
await new Promise((end) => {
  const handle = async () => {
    began ??= process.hrtime.bigint();
    done += 1;
    if (done === Number(jobs)) end();
  };
  new Worker(name, handle, { connection, concurrency: Number(concurrency) });
});
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
const cpu = process.cpuUsage(cpuBefore);
console.log(JSON.stringify({ rate: jobs / seconds, cpu_seconds: (cpu.user + cpu.system) / 1e6 }));
process.exit(0);
