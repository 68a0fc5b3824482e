// Milliseconds by which `import 'holdfast'` takes longer than that of an empty
// module, the loader being warm in both cases.
await import('./warm.mjs');
const start = process.hrtime.bigint();
await import('./empty.mjs');
const between = process.hrtime.bigint();
await import('holdfast');
const end = process.hrtime.bigint();
console.log(Number(end - between - (between - start)) / 1e6);
