/**
 * Remembers what a pure function makes of a model's object, as long as that object lives. Of several settings the last one
 * is remembered. Neither may change afterwards: the model makes a new object for every change.
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
