// Follows an answer as the page does, with the page's own code but without a browser. Argument: the server's address.
const [address] = process.argv.slice(2);
const step = { requests: 0, types: [], text: "" };
const network = globalThis.fetch;
globalThis.fetch = (path, options) => { step.requests++; return network(new URL(path, address), options); };
globalThis.sessionStorage = { getItem: () => null, setItem: () => {} };
const source = await (await network(new URL("/api.js", address))).text();
// Its pauses are for the server's sake, and this one answers at once.
const hurried = `const setTimeout = (act) => setImmediate(act);\n${source}`;
const { follow, post } = await import(`data:text/javascript,${encodeURIComponent(hurried)}`);
try {
  for await (const event of follow(() => post("/v1/responses", { model: "llava-test", input: "hi", stream: true }), new AbortController().signal)) {
    step.types.push(event.type);
    if (event.type === "response.output_text.delta") step.text += event.delta;
  }
} catch (error) {
  step.error = error.message;
}
console.log(JSON.stringify(step));
