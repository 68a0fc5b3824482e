// The packages that speak MCP. The build bundles this file alone, so that only
// `holdfast mcp` loads them: scripts/bundle.mjs.
export { McpServer, type ServerContext } from '@modelcontextprotocol/server';
export { serveStdio } from '@modelcontextprotocol/server/stdio';
// By their names: the whole of zod would bring its texts in 40 languages.
export { array, boolean, literal, number, strictObject, string } from 'zod/v4';
