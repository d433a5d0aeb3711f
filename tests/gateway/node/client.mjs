// Speaks to /v1 with OpenAI's client for JavaScript and prints what it got as one line of JSON.
import OpenAI from "openai";

const [, , baseURL, apiKey] = process.argv;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Hi" }];
const model = "stub/stub-small";
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];

const models = [];
for await (const found of client.models.list()) models.push(found.id);

const whole = await client.chat.completions.create({ model, messages });

let streamed = "";
let usage = null;
const stream = await client.chat.completions.create({
  model,
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}

const called = await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion();

const refused = await client.chat.completions
  .create({ model, messages, n: 2 })
  .then(() => null, (error) => ({ status: error.status, code: error.code, param: error.param, name: error.constructor.name }));

let broken = null;
try {
  for await (const _chunk of await client.chat.completions.create({ model, messages, stream: true }));
} catch (error) {
  broken = { name: error.constructor.name, code: error.code };
}

console.log(
  JSON.stringify({
    models,
    whole: whole.choices[0].message.content,
    streamed,
    completion_tokens: usage?.completion_tokens,
    tool: called.choices[0].message.tool_calls[0].function,
    refused,
    broken,
  }),
);
