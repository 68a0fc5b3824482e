/**
 * For a value changed in place and not returned: nothing would be written, and
 * the change would be lost.
 */
export function changedInPlace(path: string): TypeError {
  const message = `fn changed the old value and returned undefined, which leaves ${path} as it is: return it`;
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_RETURN_VALUE', path });
}
