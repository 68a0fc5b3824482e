import { argumentError } from '../base/argument-errors.js';
import { LockStateError } from '../base/errors.js';
import { pathText } from '../base/paths.js';
import { checkData, parseData } from '../holders/owner-record.js';
import { EXCLUSIVE } from '../native/binding.js';
import type { Hold } from './hold.js';
import { checkCurrent, checkOwnRecord, recordUpgrade, writeRecord } from './hold-record.js';

/** Merges `patch` into the fields of the record; returns the new fields as JSON. */
export function changeData(hold: Hold, dataText: string, patch: object): string {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'patch', 'an object', patch);
  }
  const { path } = hold.file;
  if (hold.record !== 'json') {
    const message = `this lock of ${pathText(path)} has no JSON record in the file`;
    throw new LockStateError(path, message);
  }
  const data = checkData({ ...parseData(dataText), ...patch }, 'patch');
  checkCurrent(hold);
  checkOwnRecord(hold);
  writeRecord(hold, { data });
  return data;
}

/** From shared to exclusive. False: another lock is in the way, and this one is gone. */
export function upgradeHold(hold: Hold, dataText: string): boolean {
  if (!hold.file.tryLock(EXCLUSIVE)) return false;
  checkCurrent(hold);
  recordUpgrade(hold, dataText);
  checkCurrent(hold);
  return true;
}
