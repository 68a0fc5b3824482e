export { Election } from './election/election.js';
export type { Member } from './election/member-files.js';
export type { ElectionOptions, LeaveOptions } from './election/options.js';
export type { Leadership } from './election/works.js';
