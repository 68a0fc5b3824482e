import { call } from './command.js';

/** `holdfast next-id …` in this process. */
export const nextId = (...args: string[]) => call('next-id', ...args);

export const given = (id: number | string) => ({ code: 0, stdout: `${id}\n`, stderr: '' });
