import { keepsContract } from '../../support/contract.js';
import { keepsSharedContract } from '../../support/contract-shared.js';
import { postgresOfFile } from '../../support/postgres.js';
import { postgresSubjects } from '../../support/postgres-subject.js';

for (const subject of postgresSubjects(postgresOfFile())) {
  keepsContract(subject);
  keepsSharedContract(subject);
}
