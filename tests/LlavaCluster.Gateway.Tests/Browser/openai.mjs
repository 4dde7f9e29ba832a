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
const several = await client.chat.completions.create({ ...ask, n: 2, logprobs: true, top_logprobs: 1, stop: ["END"], seed: 7, frequency_penalty: 0.5, presence_penalty: -0.5 });
step.several = several.choices.map((choice) => [choice.index, choice.message.content, choice.logprobs.content[0].top_logprobs.length]);
step.interleaved = ["", ""];
step.usage = [];
for await (const chunk of await client.chat.completions.create({ ...ask, n: 2, stream: true, stream_options: { include_usage: true } })) {
  for (const choice of chunk.choices) step.interleaved[choice.index] += choice.delta.content ?? "";
  if (chunk.usage !== null) step.usage.push([chunk.choices.length, chunk.usage.total_tokens]);
}
const conversation = await client.conversations.create();
for (const input of ["one", "two"]) await client.responses.create({ model: "llava-test", input, conversation: conversation.id });
step.conversation = [(await client.conversations.retrieve(conversation.id)).id === conversation.id, (await client.conversations.items.list(conversation.id)).data.length];
step.models = (await client.models.list()).data.map((model) => model.id);
const response = await client.responses.create({ model: "llava-test", input: "What is it?" });
step.response = [response.status, response.output_text];
try {
  await client.chat.completions.create({ ...ask, temperature: 3 });
} catch (error) {
  step.error = [error.constructor.name, error.status, error.param, error.code];
}
console.log(JSON.stringify(step));
