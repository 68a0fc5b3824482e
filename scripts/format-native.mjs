// Formats the C++ sources in place: npm run format:native
import { format, formatter, WANTED } from './native/format.mjs';

const tool = formatter();
if (tool === undefined) {
  console.error(`Needs ${WANTED}`);
  process.exit(1);
}
format(tool);
