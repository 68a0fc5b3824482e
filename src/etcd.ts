export type { EtcdLock } from './engines/etcd/lock.js';
export { type EtcdLocker, etcdLocker } from './engines/etcd/locker.js';
export type { EtcdLockerOptions, EtcdTlsOptions } from './engines/etcd/options.js';
