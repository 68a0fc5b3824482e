import { keepsContract } from '../../support/contract.js';
import { keepsSharedContract } from '../../support/contract-shared.js';
import { etcdForFile } from '../../support/etcd-server.js';
import { etcdSubjects } from '../../support/etcd-subject.js';

for (const subject of etcdSubjects(etcdForFile())) {
  keepsContract(subject);
  keepsSharedContract(subject);
}
