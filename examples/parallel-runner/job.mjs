// One job: runs the program of a feature and watches the runner. If the runner is
// killed with SIGKILL, none of its handlers can stop the jobs; the closed channel
// does.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

process.on('disconnect', () => process.kill(0, 'SIGKILL'));
if (!process.connected) process.exit(1);
// The signal goes to the whole group: the program decides how to end.
process.on('SIGTERM', () => {});

const program = spawn(process.argv[2], { stdio: 'inherit' });
program.on('error', (error) => {
  console.error(`Error: ${error.message}`);
  process.exit(126);
});
program.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
