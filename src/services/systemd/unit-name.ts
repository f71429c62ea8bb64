/** Names of units, as systemd.unit(5) has them, and as commands take them. */

export type UnitName = {
  /** Whole, with its suffix: "foo@bar.service". */
  readonly name: string;
  /** "service". */
  readonly type: string;
  /** "foo". */
  readonly prefix: string;
  /** "foo@.service". */
  readonly template: boolean;
  /** "bar"; undefined for templates and for units without one. */
  readonly instance: string | undefined;
};

export class UnitNameError extends Error {
  override readonly name = "UnitNameError";
  readonly code = "UNIT_NAME";
}

/** As on the command line of systemctl: without a known suffix it is a service. Throws a UnitNameError. */
export function parseUnitName(text: string): UnitName {
  const name = suffixOf(text) === undefined ? `${text}.service` : text;
  const [, prefix, instance, type] = form.exec(name) ?? [];
  if (name.length > longest)
    throw new UnitNameError(
      `the name of a unit has no more than ${longest} characters: ${JSON.stringify(`${name.slice(0, 20)}…`)} has ${name.length}`,
    );
  if (prefix === undefined || type === undefined)
    throw new UnitNameError(
      `${JSON.stringify(text)} is not the name of a unit: letters, digits and :-_.\\ are allowed, and one @`,
    );
  return { name, type, prefix, template: instance === "", instance: instance || undefined };
}

const types = [
  "service",
  "socket",
  "device",
  "mount",
  "automount",
  "swap",
  "target",
  "path",
  "timer",
  "slice",
  "scope",
];

/** An instance may have further "@" in it, a prefix may not. */
const form = new RegExp(String.raw`^([\w:.\\-]+)(?:@([\w:.\\@-]*))?\.(${types.join("|")})$`);

/** UNIT_NAME_MAX of systemd, without the NUL. */
const longest = 255;

function suffixOf(text: string): string | undefined {
  const suffix = text.slice(text.lastIndexOf(".") + 1);
  return text.includes(".") && types.includes(suffix) ? suffix : undefined;
}

/** The pattern that `systemctl restart` takes for a unit: for a template, which does not run itself, all instances. */
export function restartable(unit: string): string {
  return unit.replace("@.", "@*.");
}

/** The name as a word for a shell: names may hold a backslash ("\x2d"), patterns a star. */
export function shellWord(name: string): string {
  return /^[\w@.:-]+$/.test(name) ? name : `'${name}'`;
}
