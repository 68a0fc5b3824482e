export {
  AlreadyRunningError,
  type InstanceAnswer,
  type InstanceSendOptions,
} from './base/errors.js';
export { InstanceHandlerError, InstanceNoAnswerError } from './instance/errors.js';
export { InstanceLock, instanceLocker } from './instance/instance-lock.js';
export type {
  AcquireOrSendOptions,
  InstanceForceOptions,
  InstanceLockOptions,
  MessageContext,
  OnMessage,
} from './instance/options.js';
