// A model that says what its script says, in the three protocols of the hosts:
// chat completions (opencode), responses (Codex), Gemini.
import { createServer } from 'node:http';

/** What each session is asked to do. Requests of sub-agents do not have it. */
export const PROMPT = 'do what you are told';

/**
 * `turns`: what the model says, one for each request that offers tools:
 * `{ text }`, `{ tool, args }`, or `{ tools }`, several calls at once. Requests
 * without tools (for a title) get "ok". With sub-agents, or several sessions of
 * one process: an object of such lists. A request without {@link PROMPT} gets a
 * turn of the list whose name it has; every other one, of `main`.
 */
export async function startModel(turns) {
  const lists = Array.isArray(turns) ? { main: turns } : turns;
  const left = Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, [...list]]));
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
      const path = request.url.split('?')[0];
      const answer = ANSWERS.find(([end]) => end.test(path))?.[1];
      if (answer === undefined) {
        response.writeHead(404).end('{"error":{"message":"no such place"}}');
        return;
      }
      answer(response, { turn: nextTurn(left, text, body), body, id: requests.length, path });
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    requests,
    names: Object.keys(left),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function nextTurn(left, text, body) {
  const offersTools = body?.tools?.length > 0 || body?.config?.tools !== undefined;
  if (!offersTools) return { text: 'ok' };
  return left[speakerOf(text, Object.keys(left))].shift() ?? { text: 'done' };
}

/** Whose request it is. A session's own has the prompts of its sub-agents, too. */
export function speakerOf(text, names) {
  if (text.includes(PROMPT)) return 'main';
  return names.find((name) => name !== 'main' && text.includes(name)) ?? 'main';
}

/** The calls of a turn; none: it is a text. */
function callsOf(turn) {
  return turn.tools ?? (turn.tool === undefined ? [] : [turn]);
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
  const calls = callsOf(turn);
  if (calls.length === 0) {
    chunk({ role: 'assistant', content: turn.text }, null);
    chunk({}, 'stop');
  } else {
    const tool_calls = calls.map(({ tool, args }, index) => ({
      index,
      id: `call_${id}_${index}`,
      type: 'function',
      function: { name: tool, arguments: JSON.stringify(args) },
    }));
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
  for (const [output_index, item] of itemsOf(turn, id).entries()) {
    say({ type: 'response.output_item.done', output_index, item });
  }
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

function itemsOf(turn, id) {
  const calls = callsOf(turn);
  if (calls.length === 0) {
    const content = [{ type: 'output_text', text: turn.text }];
    return [{ type: 'message', id: `m${id}`, role: 'assistant', content }];
  }
  return calls.map(({ tool, args, isCustom, namespace }, index) => {
    const call = { call_id: `call_${id}_${index}`, name: tool };
    return isCustom
      ? { type: 'custom_tool_call', id: `ct_${id}_${index}`, ...call, input: args }
      : {
          type: 'function_call',
          id: `fc_${id}_${index}`,
          ...call,
          ...(namespace !== undefined && { namespace }),
          arguments: JSON.stringify(args),
        };
  });
}

function answerGemini(response, { turn, path }) {
  if (path.endsWith(':countTokens')) {
    json(response, { totalTokens: 1 });
    return;
  }
  const calls = callsOf(turn);
  const parts =
    calls.length === 0
      ? [{ text: turn.text }]
      : calls.map(({ tool, args }) => ({ functionCall: { name: tool, args } }));
  const answer = {
    candidates: [{ index: 0, content: { role: 'model', parts }, finishReason: 'STOP' }],
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
