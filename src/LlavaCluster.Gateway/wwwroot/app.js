// The page: one conversation, shown as the branch that ends in the chosen turn.
import { follow, get, onKeyNeeded, picture, post, upload } from "/api.js";
import { $, el } from "/dom.js";
import * as training from "/training.js";

const state = { conversation: null, turns: [], shown: null, pictures: [], running: null };

function fail(error) {
  const wait = error?.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
  $("error").textContent = error ? (error instanceof TypeError ? "The server cannot be reached." : error.message) + wait : "";
  $("error").hidden = !error;
}

onKeyNeeded(() => new Promise((resolve) => {
  const dialog = $("key-dialog");
  $("key").value = "";
  dialog.addEventListener("close", () => resolve($("key").value.trim() || null), { once: true });
  dialog.showModal();
}));

// ---- turns -------------------------------------------------------------------------------------------------------

const find = (id) => state.turns.find((turn) => turn.id === id);
const siblings = (turn) => state.turns.filter((other) => other.parent === turn.parent);

function branch() {
  const path = [];
  for (let at = find(state.shown); at; at = find(at.parent)) path.unshift(at);
  return path;
}

function latestUnder(turn) {
  const children = state.turns.filter((other) => other.parent === turn.id);
  return children.length ? latestUnder(children[children.length - 1]) : turn;
}

function question(turn) {
  const node = el("div", { className: "mine" });
  for (const part of turn.input) {
    if (part.type === "input_image") {
      const image = el("img", { alt: "Your picture" });
      picture(part.file_id).then((url) => { image.src = url; }, () => { image.alt = "This picture cannot be loaded."; });
      node.append(image);
    } else {
      node.append(el("span", { textContent: part.text }));
    }
  }
  return node;
}

function note(turn) {
  const node = el("div", { className: "note" });
  if (turn.status === "in_progress") return node;
  if (turn.error) node.append(el("span", { className: "failed", textContent: turn.error }));
  if (turn.status === "cancelled") node.append(el("span", { textContent: "Stopped." }));
  if (turn.status === "incomplete") node.append(el("span", { textContent: "Cut off at the most tokens." }));
  const all = siblings(turn);
  if (all.length > 1) {
    const at = all.indexOf(turn);
    const go = (step, name, sign) => el("button", { type: "button", textContent: sign, ariaLabel: name, disabled: !all[at + step], onclick: () => show(latestUnder(all[at + step])) });
    node.append(el("span", {}, go(-1, "Previous answer", "‹"), ` ${at + 1} / ${all.length} `, go(1, "Next answer", "›")));
  }
  node.append(el("button", { type: "button", textContent: "Regenerate", onclick: () => ask({ input: turn.input, parent: turn.parent }) }));
  if (turn.usage) node.append(el("span", { textContent: `${turn.usage.output_tokens} tokens` }));
  return node;
}

function item(turn) {
  const answer = el("div", { className: `answer${turn.status === "in_progress" ? " running" : ""}`, textContent: turn.text });
  const node = el("li", { id: turn.id ?? "" }, question(turn), answer, note(turn));
  turn.node = { node, answer };
  return node;
}

function show(turn) {
  state.shown = turn?.id ?? null;
  const path = branch();
  $("turns").replaceChildren(...path.map(item));
  $("welcome").hidden = path.length > 0;
  scrollDown(true);
}

function refresh(turn) {
  if (!turn.node?.node.isConnected) return;
  const fresh = item(turn);
  document.getElementById(turn.id)?.replaceWith(fresh);
}

function scrollDown(always) {
  const main = $("main");
  if (always || main.scrollHeight - main.scrollTop - main.clientHeight < 160) main.scrollTop = main.scrollHeight;
}

// ---- asking ------------------------------------------------------------------------------------------------------

function options() {
  const read = { temperature: Number($("temperature").value), top_p: Number($("top_p").value) };
  if ($("max_output_tokens").value) read.max_output_tokens = Number($("max_output_tokens").value);
  if ($("seed").value) read.seed = Number($("seed").value);
  return read;
}

async function ask({ input, parent }) {
  if (state.running) return;
  fail(null);
  const body = { model: $("model").value, stream: true, input: [{ role: "user", content: input }], ...options() };
  if (parent) body.previous_response_id = parent;
  else if (state.conversation) Object.assign(body, { conversation: state.conversation, from_start: true });
  const key = crypto.randomUUID();
  const turn = { id: `asking-${key}`, parent: parent ?? null, input, text: "", status: "in_progress" };
  state.turns.push(turn);
  const before = state.shown;
  show(turn);
  const began = await run(turn, (signal) => post("/v1/responses", body, { signal, headers: { "Idempotency-Key": key } }));
  if (!began) {
    state.turns = state.turns.filter((other) => other !== turn);
    show(find(before));
    for (const part of input) {
      if (part.type === "input_image") addPicture(part.file_id);
      else if (!$("text").value) $("text").value = part.text;
    }
  }
}

// Follows a turn to its end; false if it never began.
async function run(turn, open) {
  const running = { abort: new AbortController(), id: turn.id.startsWith("resp_") ? turn.id : null };
  state.running = running;
  busy(true);
  try {
    for await (const event of follow(() => open(running.abort.signal), running.abort.signal)) {
      apply(turn, event, running);
    }
  } catch (error) {
    if (!running.abort.signal.aborted) fail(error);
    return running.id !== null;
  } finally {
    if (state.running === running) { state.running = null; busy(false); }
  }
  return true;
}

function apply(turn, event, running) {
  if (event.type === "response.created") {
    running.id = event.response.id;
    if (state.shown === turn.id) state.shown = event.response.id;
    if (turn.node) turn.node.node.id = event.response.id;
    turn.id = event.response.id;
    state.conversation = event.response.conversation?.id ?? state.conversation;
    if (!trains() && location.hash.slice(1) !== state.conversation) history.replaceState(null, "", `#${state.conversation}`);
  } else if (event.type === "error") {
    running.interrupted = true;
    fail(event);
  } else if (event.type === "response.output_text.delta") {
    if (running.interrupted) { running.interrupted = false; fail(null); }
    turn.text += event.delta;
    if (turn.node) turn.node.answer.textContent = turn.text;
    scrollDown(false);
  } else if (event.response && event.response.status !== "in_progress") {
    if (running.interrupted) fail(null);
    settle(turn, event.response);
    refresh(turn);
    scrollDown(false);
  }
}

function settle(turn, response) {
  turn.status = response.status;
  turn.usage = response.usage;
  turn.error = response.error?.message ?? null;
}

function busy(is) {
  $("send").hidden = is;
  $("stop").hidden = !is;
}

async function stop() {
  const running = state.running;
  if (running?.id) await post(`/v1/responses/${running.id}/cancel`, {}).catch(fail);
}

// ---- a conversation from its address -----------------------------------------------------------------------------

const trains = () => location.hash === "#training";

// The training view has an address too; an answer that is running goes on beneath it.
function turnTo() {
  for (const id of ["turns", "ask"]) $(id).hidden = trains();
  $("training").hidden = !trains();
  $("training-open").textContent = trains() ? "Chat" : "Training";
  if (trains()) { $("welcome").hidden = true; fail(null); training.open(); }
  else { training.close(); }
}

async function load() {
  const was = $("training").hidden;
  turnTo();
  if (trains()) return;
  if (!was) await listModels();
  const id = location.hash.slice(1);
  state.running?.abort.abort();
  Object.assign(state, { conversation: id || null, turns: [], shown: null, running: null });
  busy(false);
  fail(null);
  show(null);
  if (!id) return;
  try {
    const { data } = await get(`/v1/conversations/${encodeURIComponent(id)}/turns`);
    state.turns = data.map(({ response, input, text }) => {
      const turn = { id: response.id, parent: response.previous_response_id, input: input.filter((m) => m.role === "user").flatMap((m) => m.content), text };
      settle(turn, response);
      return turn;
    });
    const last = state.turns[state.turns.length - 1];
    show(last);
    if (last.status === "in_progress") {
      last.text = "";
      await run(last, (signal) => resume(last.id, signal));
    }
  } catch (error) {
    fail(error);
    state.conversation = null;
  }
}

const resume = async (id, signal) => {
  const key = sessionStorage.getItem("llava-key");
  return fetch(`/v1/responses/${id}?stream=true`, { signal, headers: key ? { Authorization: `Bearer ${key}` } : {} });
};

// ---- pictures ----------------------------------------------------------------------------------------------------

function addPicture(id) {
  state.pictures.push(id);
  drawPictures();
}

function drawPictures() {
  $("pictures").replaceChildren(...state.pictures.map((id, index) => {
    const image = el("img", { alt: "" });
    picture(id).then((url) => { image.src = url; }, fail);
    return el("button", { type: "button", ariaLabel: `Remove picture ${index + 1}`, title: "Remove", onclick: () => { state.pictures.splice(index, 1); drawPictures(); $("text").focus(); } }, image);
  }));
}

async function take(files) {
  fail(null);
  for (const file of [...files].filter((f) => f.type.startsWith("image/") || f.type === "")) {
    try {
      addPicture((await upload(file)).id);
    } catch (error) {
      fail(error);
    }
  }
  $("text").focus();
}

async function drawSamples() {
  const samples = await (await fetch("/samples/index.json")).json();
  $("samples").replaceChildren(...samples.map(({ file, alt, question: text }) => el("button", {
    type: "button",
    title: alt,
    onclick: async () => {
      await take([new File([await (await fetch(`/samples/${file}`)).blob()], file, { type: "image/png" })]);
      if (!$("text").value) $("text").value = text;
    },
  }, el("img", { src: `/samples/${file}`, alt }))));
}

// ---- wiring ------------------------------------------------------------------------------------------------------

function submit() {
  const text = $("text").value.trim();
  if (state.running || (!text && !state.pictures.length)) return;
  const input = [...state.pictures.map((id) => ({ type: "input_image", file_id: id })), ...(text ? [{ type: "input_text", text }] : [])];
  state.pictures = [];
  drawPictures();
  $("text").value = "";
  grow();
  ask({ input, parent: state.shown });
}

function grow() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight}px`;
}

function startAnew() {
  history.pushState(null, "", "/");
  load();
  $("text").focus();
}

$("ask").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
$("text").addEventListener("input", grow);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
});
$("stop").addEventListener("click", stop);
$("new").addEventListener("click", startAnew);
$("training-open").addEventListener("click", () => {
  history.pushState(null, "", trains() ? `/${state.conversation ? `#${state.conversation}` : ""}` : "/#training");
  load();
});
training.setUp({
  fail,
  chat: async (model) => {
    state.model = model;
    startAnew();
  },
});
$("home").addEventListener("click", (event) => { event.preventDefault(); startAnew(); });
for (const id of ["attach", "pick"]) $(id).addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => { await take($("file").files); $("file").value = ""; });
for (const id of ["temperature", "top_p"]) $(id).addEventListener("input", () => { $(`${id}-shown`).textContent = $(id).value; });
$("options").addEventListener("submit", (event) => event.preventDefault());
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if ($("parameters").open) $("parameters").open = false;
  else if (trains()) $("training-open").click();
  else stop();
});
addEventListener("click", (event) => { if (!$("parameters").contains(event.target)) $("parameters").open = false; });
addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); take(event.clipboardData.files); } });
addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) { event.preventDefault(); document.body.classList.add("dropping"); } });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
addEventListener("drop", (event) => { event.preventDefault(); document.body.classList.remove("dropping"); take(event.dataTransfer.files); });
addEventListener("hashchange", load);

// Adapters come and go; the one that was chosen stays chosen.
async function listModels() {
  try {
    const { data } = await get("/v1/models");
    const chosen = state.model ?? $("model").value;
    state.model = null;
    $("model").replaceChildren(...data.map((model) => el("option", { value: model.id, textContent: model.id, selected: model.id === chosen })));
    if (data[0]) $("max_output_tokens").max = data[0].context_length;
    else fail(new Error("No model is served yet. Reload in a moment."));
  } catch (error) {
    fail(error);
  }
}

listModels().then(load);
drawSamples();
$("text").focus();
