import { keepsSharedContract } from '../support/contract-shared.js';
import { SUBJECTS } from '../support/contract-subjects.js';

for (const subject of SUBJECTS) keepsSharedContract(subject);
