// `require.cjs PATH`: milliseconds of CPU by which `require` of the package there
// takes longer than that of an empty module. See children/import.mjs.
const [path] = process.argv.slice(2);

function cost(run) {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

require('./warm.cjs');
const nothing = cost(() => require('./empty.cjs'));
const all = cost(() => require(path));
console.log(JSON.stringify([all - nothing]));
