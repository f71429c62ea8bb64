/**
 * Remembers the result of a pure function for each key, as long as the key lives, and only for the last setting that it
 * was called with. Key and setting must not change afterwards: make a new object for every change.
 */
export function remember<Key extends object, Setting, Result>(
  compute: (key: Key, setting: Setting) => Result,
): (key: Key, setting: Setting) => Result {
  const known = new WeakMap<Key, { readonly setting: Setting; readonly result: Result }>();
  return (key, setting) => {
    const last = known.get(key);
    if (last !== undefined && last.setting === setting) return last.result;
    const result = compute(key, setting);
    known.set(key, { setting, result });
    return result;
  };
}
