// What the page says to the server: JSON calls, and event streams that go on by themselves after a lost connection.

export class ApiError extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

let askForKey = async () => null;
export const onKeyNeeded = (ask) => { askForKey = ask; };

async function request(path, options = {}) {
  for (;;) {
    const headers = { ...options.headers };
    const key = sessionStorage.getItem("llava-key");
    if (key) headers.Authorization = `Bearer ${key}`;
    const response = await fetch(path, { ...options, headers });
    if (response.ok) return response;
    const body = await response.json().catch(() => null);
    if (response.status === 401) {
      const given = await askForKey();
      if (given) { sessionStorage.setItem("llava-key", given); continue; }
    }
    throw new ApiError(body?.error?.message ?? `The server answered ${response.status}.`, response.status, response.headers.get("Retry-After"));
  }
}

export const get = async (path, options) => (await request(path, options)).json();

export const post = (path, body, options = {}) =>
  request(path, { ...options, method: "POST", headers: { "Content-Type": "application/json", ...options.headers }, body: JSON.stringify(body) });

export async function upload(file) {
  const form = new FormData();
  form.append("purpose", "vision");
  form.append("file", file);
  return (await request("/v1/files", { method: "POST", body: form })).json();
}

const pictures = new Map();

// Pictures need the key too, so they are fetched and shown from memory.
export function picture(id) {
  if (!pictures.has(id)) {
    pictures.set(id, request(`/v1/files/${id}/content`).then((r) => r.blob()).then((blob) => URL.createObjectURL(blob)));
  }
  return pictures.get(id);
}

// The events of one response as server-sent events: { id, type, data }.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      let end;
      while ((end = rest.indexOf("\n\n")) >= 0) {
        const lines = rest.slice(0, end).split("\n");
        rest = rest.slice(end + 2);
        const data = lines.filter((l) => l.startsWith("data: ")).map((l) => l.slice(6)).join("\n");
        if (data === "[DONE]") return yield { type: "done" };
        if (data) yield JSON.parse(data);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

const closing = new Set(["response.completed", "response.incomplete", "response.failed"]);

// Follows an answer to its end. `open` makes the first request; later ones resume after the last event seen. An answer that the server interrupted
// goes on there some time later: what it says of that is an event too, and its last word where the answer does not go on in time.
export async function* follow(open, signal) {
  let id = null;
  let seen = -1;
  let failures = 0;
  let reason = null;
  for (;;) {
    try {
      const response = await (id === null ? open() : request(`/v1/responses/${id}?stream=true${seen >= 0 ? `&starting_after=${seen}` : ""}`, { signal }));
      for await (const event of events(response)) {
        if (event.type === "response.output_text.delta") { failures = 0; reason = null; }
        if (event.type === "error") reason = event.message;
        id = event.response?.id ?? id;
        seen = event.sequence_number;
        yield event;
        if (closing.has(event.type)) return;
      }
    } catch (error) {
      if (signal.aborted || error instanceof ApiError || id === null) throw error;
    }
    if (++failures > 20) throw new ApiError(reason ?? "The connection was lost. Reload the page to go on.", 0);
    await new Promise((resolve) => setTimeout(resolve, Math.min(250 * failures, 3000)));
  }
}

// A job's events from its first to its last, whatever happens to the connection.
export async function* followJob(id, signal) {
  let seen = 0;
  for (let failures = 0; ; failures++) {
    try {
      const response = await request(`/v1/fine_tuning/jobs/${id}/events?stream=true&after=${seen}`, { signal });
      for await (const event of events(response)) {
        if (event.type === "done") return;
        failures = 0;
        seen = event.id;
        yield event;
      }
    } catch (error) {
      if (signal.aborted || error instanceof ApiError || failures > 20) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(250 * (failures + 1), 3000)));
  }
}
