// OpenAI's own JavaScript client of files and fine-tuning. Argument: the server's address.
import OpenAI, { toFile } from "openai";

const [address] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none", maxRetries: 0 });
const step = {};
const text = '{"id":"1","conversations":[]}\n';
const file = await client.files.create({ file: await toFile(Buffer.from(text), "chats.jsonl"), purpose: "fine-tune" });
step.file = [file.filename, file.purpose, file.bytes];
step.content = await (await client.files.content(file.id)).text();
step.files = [];
for await (const listed of client.files.list({ purpose: "fine-tune", limit: 1 })) step.files.push(listed.id === file.id);
const job = await client.fineTuning.jobs.create({
  model: "llava-test", training_file: file.id, suffix: "formal", seed: 7, metadata: { team: "a" },
  method: { type: "supervised", supervised: { hyperparameters: { n_epochs: 2, batch_size: "auto", learning_rate_multiplier: "auto" } } },
});
step.job = [job.object, job.status, job.model, job.seed, job.metadata.team, job.method.supervised.hyperparameters.n_epochs];
step.jobs = [];
for await (const listed of client.fineTuning.jobs.list()) step.jobs.push(listed.id === job.id);
step.paused = (await client.fineTuning.jobs.pause(job.id)).status;
step.resumed = (await client.fineTuning.jobs.resume(job.id)).status;
step.cancelled = (await client.fineTuning.jobs.cancel(job.id)).status;
step.events = [];
for await (const event of client.fineTuning.jobs.listEvents(job.id, { limit: 3 })) step.events.push(event.message);
step.checkpoints = (await client.fineTuning.jobs.checkpoints.list(job.id)).data.length;
step.deleted = (await client.files.delete(file.id)).deleted;
try {
  await client.fineTuning.jobs.create({ model: "llava-test", training_file: file.id });
} catch (error) {
  step.error = [error.constructor.name, error.status, error.param];
}
// With the client's usual retries a refusal that stays one is asked for once.
step.asked = 0;
const patient = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none", fetch: (...call) => { step.asked++; return fetch(...call); } });
try {
  await patient.fineTuning.jobs.resume(job.id);
} catch (error) {
  step.ended = [error.constructor.name, error.status, error.code];
}
console.log(JSON.stringify(step));
