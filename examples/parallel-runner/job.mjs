// One job: the program of a feature, and an eye on the runner. When that is
// killed with SIGKILL, no handler of it stops its jobs; the closed channel does.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

process.on('disconnect', () => process.kill(0, 'SIGKILL'));
if (!process.connected) process.exit(1);
// It goes to the whole group: how to end is for the program to decide.
process.on('SIGTERM', () => {});

const program = spawn(process.argv[2], { stdio: 'inherit' });
program.on('error', (error) => {
  console.error(`Error: ${error.message}`);
  process.exit(126);
});
program.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
