export { type MemoryLocker, memoryLocker } from './engines/memory.js';
