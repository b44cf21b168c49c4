// The official SDK for TypeScript: a tool conversation plain and streamed, counting, models, a batch.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const found = createRequire(join(process.cwd(), "from-here.js")).resolve("@anthropic-ai/sdk");
const { default: Anthropic } = await import(pathToFileURL(found));
const client = new Anthropic();
const model = "claude-haiku-5-5";
const tool = {
  name: "find_parcel",
  description: "Look a parcel up: where it is now.",
  input_schema: {
    type: "object",
    properties: { parcel_id: { type: "string", description: "The parcel's number, for example PX-1234" } },
    required: ["parcel_id"],
  },
};
const system = "You help with parcels. Look a parcel up before you speak of it, for example: (find_parcel: in Leeds).";

async function reply(messages, streamed) {
  const asked = { model, max_tokens: 500, system, tools: [tool], messages };
  return streamed ? await client.messages.stream(asked).finalMessage() : await client.messages.create(asked);
}

async function converse(streamed) {
  const messages = [{ role: "user", content: "Where is my parcel PX-1234?" }];
  const first = await reply(messages, streamed);
  const call = first.content.at(-1);
  const result = { type: "tool_result", tool_use_id: call.id, content: '{"place": "Leeds"}' };
  messages.push({ role: "assistant", content: first.content }, { role: "user", content: [result] });
  const last = await reply(messages, streamed);
  return { call: [call.name, call.input], reasons: [first.stop_reason, last.stop_reason], said: last.content.at(-1).text };
}

async function batch() {
  const params = { model, max_tokens: 50, messages: [{ role: "user", content: "Hello" }] };
  const made = await client.messages.batches.create({ requests: [{ custom_id: "one", params }] });
  const ended = await client.messages.batches.retrieve(made.id);
  const lines = [];
  for await (const line of await client.messages.batches.results(made.id)) lines.push(line);
  return [ended.processing_status, lines[0].custom_id, lines[0].result.type];
}

let models = 0;
for await (const _ of client.models.list({ limit: 5 })) models += 1;
const counted = await client.messages.countTokens({ model, messages: [{ role: "user", content: "Hello there" }] });
console.log(
  JSON.stringify({
    plain: await converse(false),
    streamed: await converse(true),
    counted: counted.input_tokens,
    models,
    batch: await batch(),
  }),
);
