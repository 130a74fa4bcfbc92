// The unmodified `openai` package for Node against the gateway. Environment: as python/test_openai.py.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.env.COCOON_SDK_NODE, "package.json"));
const { default: OpenAI } = await import(pathToFileURL(require.resolve("openai")).href);

const model = process.env.COCOON_SDK_MODEL;
const messages = [{ role: "user", content: "Say something." }];
const client = new OpenAI({
  baseURL: process.env.COCOON_SDK_API,
  apiKey: process.env.COCOON_SDK_KEY ?? "none",
  maxRetries: 0,
  timeout: 30_000,
});
const chat = (more) => client.chat.completions.create({ model, messages, ...more });

test("chat, with exact usage and a request id", async () => {
  const { data, response } = await chat({ max_tokens: 16 }).withResponse();
  assert.ok(data.choices[0].message.content);
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
  assert.match(response.headers.get("x-request-id"), /^req_/);
});

test("chunks arrive spread over time", async () => {
  const arrivals = [];
  let usage;
  const options = { max_tokens: 64, stream: true, stream_options: { include_usage: true }, x_pace_ms: 25 };
  for await (const chunk of await chat(options)) {
    arrivals.push(performance.now());
    usage = chunk.usage ?? usage;
  }
  assert.ok(arrivals.length > 5);
  assert.ok(arrivals.at(-1) - arrivals[0] > 100, "all chunks came at once");
  assert.ok(usage.completion_tokens > 0);
});

test("tools", async () => {
  const tool = { type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } };
  const answer = await chat({ tools: [tool], tool_choice: "required" });
  assert.equal(answer.choices[0].message.tool_calls[0].function.name, "weather");
});

test("JSON schema", async () => {
  const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
  const answer = await chat({ response_format: { type: "json_schema", json_schema: { name: "person", schema } } });
  assert.equal(typeof JSON.parse(answer.choices[0].message.content), "object");
});

test("embeddings and models", async () => {
  const answer = await client.embeddings.create({ model, input: ["a", "b"], encoding_format: "float" });
  assert.equal(answer.data.length, 2);
  const names = [];
  for await (const entry of client.models.list()) names.push(entry.id);
  assert.ok(names.includes(model));
});

test("each error class", async () => {
  await assert.rejects(client.chat.completions.create({ model: "no-such-model", messages }), OpenAI.NotFoundError);
  await assert.rejects(chat({ max_tokens: -1 }), OpenAI.BadRequestError);
  const long = [{ role: "user", content: "word ".repeat(5000) }];
  await assert.rejects(chat({ messages: long }), (error) => error.status === 400 && /context length/.test(error.message));
  await assert.rejects(chat({ x_fault: "500" }), OpenAI.InternalServerError);
  await assert.rejects(chat({ cocoon: { tier: "confidential" } }), (error) => error.status === 503);
  await assert.rejects(async () => {
    for await (const _ of await chat({ stream: true, x_fault: "cut" }));
  }, OpenAI.APIError);
});

test("a caller that goes away does not disturb the next", async () => {
  const stream = await chat({ stream: true, max_tokens: 64 });
  for await (const _ of stream) break;
  stream.controller.abort();
  assert.ok((await chat({ max_tokens: 4 })).choices[0].message.content);
});
