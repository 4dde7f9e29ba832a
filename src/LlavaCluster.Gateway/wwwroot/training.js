// The training view: the tenant's jobs as they learn, and its adapters with what answers to their names.
import { ApiError, followJob, get, post } from "/api.js";
import { Curve } from "/curve.js";
import { $, el } from "/dom.js";

const AGAIN = 3000; // ms between two looks at the jobs
const Ended = new Set(["succeeded", "failed", "cancelled"]);
const rows = new Map();
const state = { chat: null, fail: null, timer: null, watching: null };

export const setUp = ({ chat, fail }) => Object.assign(state, { chat, fail });

export function open() {
  look();
}

export function close() {
  clearTimeout(state.timer);
  state.timer = null;
  state.watching?.abort();
  for (const row of rows.values()) row.node.open = false;
}

// Looks again and again while the view is open, also after a failure that may pass.
async function look() {
  clearTimeout(state.timer);
  let again = true;
  try {
    const [jobs, adapters] = await Promise.all([get("/v1/fine_tuning/jobs?limit=20"), get("/v1/adapters")]);
    state.fail(null);
    drawJobs(jobs.data);
    drawAdapters(adapters.data);
  } catch (error) {
    state.fail(error);
    again = !(error instanceof ApiError) || error.status >= 500;
  }
  if (again && !$("training").hidden) state.timer = setTimeout(look, AGAIN);
}

const change = (path, body) => async () => {
  try {
    await post(path, body ?? {});
    await look();
  } catch (error) {
    state.fail(error);
  }
};

const button = (text, onclick, ariaLabel) => el("button", { type: "button", textContent: text, onclick, ariaLabel: ariaLabel ?? null });

// ---- jobs --------------------------------------------------------------------------------------------------------

function drawJobs(jobs) {
  $("no-jobs").hidden = jobs.length > 0;
  for (const id of [...rows.keys()]) if (!jobs.some((job) => job.id === id)) rows.delete(id);
  jobs.forEach((job) => {
    if (!rows.has(job.id)) rows.set(job.id, rowOf(job));
    update(rows.get(job.id), job);
  });
  const nodes = jobs.map((job) => rows.get(job.id).node);
  // Moving a node would take its focus away.
  if (nodes.some((node, at) => node !== $("jobs").children[at]) || nodes.length !== $("jobs").children.length) $("jobs").replaceChildren(...nodes);
}

function rowOf(job) {
  const row = { id: job.id, curve: new Curve(), status: "" };
  row.badge = el("span");
  row.bar = el("progress", { max: 1, value: 0, ariaLabel: "Progress" });
  row.figures = el("span", { className: "figures" });
  row.reason = el("p", { className: "reason" });
  row.told = el("p", { className: "told" });
  row.buttons = el("p", { className: "buttons" });
  const name = job.user_provided_suffix ?? job.id;
  row.node = el(
    "details",
    { className: "job", name: "job" },
    el("summary", {}, el("strong", { textContent: name }), el("span", { className: "base", textContent: job.model }), row.badge, row.bar, row.figures),
    row.curve.node, row.reason, row.told, row.buttons,
  );
  row.node.addEventListener("toggle", () => { if (row.node.open) watch(row); else if (state.watching?.row === row) state.watching.abort(); });
  return row;
}

function update(row, job) {
  row.bar.value = job.status === "succeeded" ? 1 : job.total_steps ? job.step / job.total_steps : 0;
  row.figures.textContent = job.total_steps ? `${job.step} / ${job.total_steps} steps` : "";
  const result = job.result?.adapter_loss != null && job.result.base_loss != null ? `Held-out loss ${job.result.base_loss.toFixed(4)} of the base, ${job.result.adapter_loss.toFixed(4)} with the adapter.` : "";
  row.reason.textContent = job.reason ?? result;
  row.reason.classList.toggle("failed", job.status === "failed");
  if (row.status === job.status) return;
  row.status = job.status;
  row.badge.textContent = job.status;
  row.badge.className = `badge ${job.status}`;
  const path = `/v1/fine_tuning/jobs/${job.id}`;
  row.buttons.replaceChildren(
    ...(job.fine_tuned_model ? [button("Chat with it", () => state.chat(job.fine_tuned_model))] : []),
    ...(job.status === "paused" ? [button("Resume", change(`${path}/resume`))] : []),
    ...(job.status === "queued" || job.status === "running" ? [button("Pause", change(`${path}/pause`))] : []),
    ...(Ended.has(job.status) ? [] : [button("Cancel", change(`${path}/cancel`))]),
  );
}

async function watch(row) {
  state.watching?.abort();
  const watching = Object.assign(new AbortController(), { row });
  state.watching = watching;
  try {
    for await (const { type, data, message } of followJob(row.id, watching.signal)) {
      if (type !== "metrics") row.told.textContent = message;
      else if (data.train_loss !== null) show(row, data);
    }
  } catch (error) {
    if (!watching.signal.aborted) state.fail(error);
  }
}

function show(row, { step, total_steps: total, train_loss: loss, tokens_per_second: pace }) {
  row.curve.add(step, loss);
  row.bar.value = total ? step / total : 0;
  row.figures.textContent = `${step} / ${total} steps`;
  row.told.textContent = `Loss ${loss.toFixed(4)}${pace ? `, ${Math.round(pace)} tokens a second` : ""}.`;
}

// ---- adapters ----------------------------------------------------------------------------------------------------

let drawn = "";

function drawAdapters(adapters) {
  const now = JSON.stringify(adapters);
  if (now === drawn) return;
  drawn = now;
  $("no-adapters").hidden = adapters.length > 0;
  $("adapters").replaceChildren(...adapters.map((adapter) => el(
    "li",
    {},
    el("p", { className: "buttons" }, el("strong", { textContent: adapter.id }), button("Chat", () => state.chat(adapter.id), `Chat with ${adapter.id}`), button("Roll back", change(`/v1/adapters/${adapter.name}/rollback`), `Roll back ${adapter.id}`)),
    el("ul", {}, ...adapter.versions.map((version) => versionOf(adapter, version))),
  )));
}

function versionOf(adapter, version) {
  const short = version.id.slice(0, 8);
  const isUsed = version.id === adapter.in_use;
  const share = version.id === adapter.on_trial ? adapter.trial_share : isUsed ? 1 - (adapter.on_trial ? adapter.trial_share : 0) : 0;
  const said = isUsed ? "in use" : share > 0 ? "on trial" : "";
  const loss = version.adapter_loss === null ? "" : `loss ${version.adapter_loss.toFixed(4)}`;
  return el(
    "li",
    { className: isUsed ? "used" : "" },
    el("code", { textContent: short, title: version.id }),
    el("span", { textContent: new Date(version.created_at * 1000).toLocaleString() }),
    el("span", { textContent: loss }),
    ...(said ? [el("span", { className: `badge ${isUsed ? "succeeded" : "running"}`, textContent: `${said}${share < 1 ? `, ${Math.round(share * 100)} %` : ""}` })] : []),
    ...(share < 1 ? [button("Use", change(`/v1/adapters/${adapter.name}/traffic`, { version: version.id, share: 1 }), `Use version ${short}`)] : []),
  );
}
