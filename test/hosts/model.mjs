// A model that says what its script says, in the three protocols of the hosts:
// chat completions (opencode), responses (Codex), Gemini.
import { createServer } from 'node:http';

/**
 * `turns`: what it says, one for each request that offers tools: `{ tool, args }`,
 * `{ text }`, or a function of the request that returns one. Requests without
 * tools (for a title) get "ok".
 */
export async function startModel(turns) {
  const left = [...turns];
  /** The bodies of all requests, as text. */
  const requests = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      requests.push(text);
      let body = null;
      try {
        body = JSON.parse(text);
      } catch {
        // A request without a body.
      }
      const offersTools = body?.tools?.length > 0 || body?.config?.tools !== undefined;
      const next = offersTools ? (left.shift() ?? { text: 'done' }) : { text: 'ok' };
      const path = request.url.split('?')[0];
      const answer = ANSWERS.find(([end]) => end.test(path))?.[1];
      if (answer === undefined) {
        response.writeHead(404).end('{"error":{"message":"no such place"}}');
        return;
      }
      answer(response, { turn: next, body, id: String(requests.length), path });
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    requests,
    left,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const ANSWERS = [
  [/\/models$/, answerModels],
  [/\/chat\/completions$/, answerChat],
  [/\/responses$/, answerResponses],
  [/:(streamGenerateContent|generateContent|countTokens)$/, answerGemini],
];

function json(response, value) {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function stream(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  return (value, event) =>
    response.write(`${event ? `event: ${event}\n` : ''}data: ${JSON.stringify(value)}\n\n`);
}

function answerModels(response) {
  json(response, { object: 'list', data: [{ id: 'scripted', object: 'model' }], models: [] });
}

function answerChat(response, { turn, body, id }) {
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  const base = { id: `c${id}`, created: 1, model: 'scripted' };
  if (!body.stream) {
    const message = { role: 'assistant', content: turn.text ?? null };
    const choices = [{ index: 0, message, finish_reason: 'stop' }];
    json(response, { ...base, object: 'chat.completion', choices, usage });
    return;
  }
  const write = stream(response);
  const chunk = (delta, finish_reason) =>
    write({
      ...base,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason }],
    });
  if (turn.tool === undefined) {
    chunk({ role: 'assistant', content: turn.text }, null);
    chunk({}, 'stop');
  } else {
    const call = { name: turn.tool, arguments: JSON.stringify(turn.args) };
    const tool_calls = [{ index: 0, id: `call_${id}`, type: 'function', function: call }];
    chunk({ role: 'assistant', tool_calls }, null);
    chunk({}, 'tool_calls');
  }
  write({ ...base, object: 'chat.completion.chunk', choices: [], usage });
  response.end('data: [DONE]\n\n');
}

function answerResponses(response, { turn, id }) {
  const write = stream(response);
  const say = (value) => write(value, value.type);
  say({ type: 'response.created', response: { id: `resp_${id}` } });
  say({ type: 'response.output_item.done', output_index: 0, item: itemOf(turn, id) });
  const usage = {
    input_tokens: 1,
    input_tokens_details: null,
    output_tokens: 1,
    output_tokens_details: null,
    total_tokens: 2,
  };
  say({ type: 'response.completed', response: { id: `resp_${id}`, usage } });
  response.end();
}

function itemOf(turn, id) {
  if (turn.tool === undefined) {
    const content = [{ type: 'output_text', text: turn.text }];
    return { type: 'message', id: `m${id}`, role: 'assistant', content };
  }
  const call = { call_id: `call_${id}`, name: turn.tool };
  return turn.isCustom
    ? { type: 'custom_tool_call', id: `ct_${id}`, ...call, input: turn.args }
    : { type: 'function_call', id: `fc_${id}`, ...call, arguments: JSON.stringify(turn.args) };
}

function answerGemini(response, { turn, path }) {
  if (path.endsWith(':countTokens')) {
    json(response, { totalTokens: 1 });
    return;
  }
  const part =
    turn.tool === undefined
      ? { text: turn.text }
      : { functionCall: { name: turn.tool, args: turn.args } };
  const answer = {
    candidates: [{ index: 0, content: { role: 'model', parts: [part] }, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
    modelVersion: 'scripted',
  };
  if (path.endsWith(':generateContent')) {
    json(response, answer);
    return;
  }
  stream(response)(answer);
  response.end();
}
