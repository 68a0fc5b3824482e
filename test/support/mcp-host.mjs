// A host of an agent: another process, which starts an MCP server as its child
// and calls what the test asks for with the official client.
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { serve, tell } from './serve.mjs';

let client;
let transport;

serve({
  async connect(parameters) {
    transport = new StdioClientTransport({ ...parameters, stderr: 'pipe' });
    transport.stderr.on('data', (chunk) => tell('said', undefined, String(chunk)));
    client = new Client({ name: 'test', version: '1.0.0' });
    await client.connect(transport);
    client.onclose = () => tell('closed');
    return transport.pid;
  },
  call(name, args, { timeout = 20_000, isWatched = false } = {}) {
    const onprogress = (progress) => tell('progress', name, progress);
    const options = { timeout, ...(isWatched && { onprogress }) };
    return client.callTool({ name, arguments: args }, options);
  },
  close: () => client.close(),
});
process.on('disconnect', () => process.exit());
