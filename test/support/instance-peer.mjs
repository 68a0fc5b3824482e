// What a `Peer` runs whose locks are instance locks.
export { inspect } from '../../dist/index.js';
export { InstanceLock as FileLock, instanceLocker as fileLocker } from '../../dist/instance.js';
