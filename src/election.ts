export { Election, type ElectionOptions, type Leadership } from './election/election.js';
export type { Member } from './election/member-files.js';
