// OpenAI's own JavaScript client. Arguments: the server's address, a picture as a data URL.
import OpenAI from "openai";

const [address, picture] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: "none", maxRetries: 0 });
const content = [{ type: "text", text: "What is it?" }, { type: "image_url", image_url: { url: picture } }];
const ask = { model: "llava-test", messages: [{ role: "user", content }] };
const step = {};
const whole = await client.chat.completions.create({ ...ask, response_format: { type: "json_object" } });
step.whole = [whole.choices[0].message.content, whole.choices[0].finish_reason, whole.usage.total_tokens];
step.pieces = [];
for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
  const text = chunk.choices[0]?.delta?.content;
  if (text) step.pieces.push(text);
}
const response = await client.responses.create({ model: "llava-test", input: "What is it?" });
step.response = [response.status, response.output_text];
try {
  await client.chat.completions.create({ ...ask, temperature: 3 });
} catch (error) {
  step.error = [error.constructor.name, error.status, error.param, error.code];
}
console.log(JSON.stringify(step));
