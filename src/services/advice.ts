/** Names of units in the commands that messages advise. */

/** What `systemctl restart` takes for a unit: of a template, which does not run itself, all instances. */
export function restartable(unit: string): string {
  return unit.replace("@.", "@*.");
}

/** For a shell to read: names may hold a backslash ("\x2d"), patterns a star. */
export function shellWord(name: string): string {
  return /^[\w@.:-]+$/.test(name) ? name : `'${name}'`;
}
