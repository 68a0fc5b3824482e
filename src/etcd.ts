export { type EtcdLocker, etcdLocker } from './engines/etcd/locker.js';
export type { EtcdOptions, EtcdTlsOptions } from './engines/etcd/options.js';
