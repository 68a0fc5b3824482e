// Runs one of the bugs of sanitize-planted.cc: FILE BUG
import { createRequire } from 'node:module';

const [file, bug] = process.argv.slice(2);
createRequire(import.meta.url)(file)[bug]();
console.log(`ran: ${bug}`);
