/** Names of units: as systemd.unit(5) defines them, and as commands accept them. */

export type UnitName = {
  /** The whole name, with its suffix: "foo@bar.service". */
  readonly name: string;
  /** "service". */
  readonly type: string;
  /** "foo". */
  readonly prefix: string;
  /** True for "foo@.service". */
  readonly template: boolean;
  /** "bar"; undefined for templates and for units without an instance name. */
  readonly instance: string | undefined;
};

export class UnitNameError extends Error {
  override readonly name = "UnitNameError";
  readonly code = "UNIT_NAME";
}

/** Reads a name as systemctl does: without a known suffix it means a service. Throws a UnitNameError. */
export function parseUnitName(text: string): UnitName {
  const name = suffixOf(text) === undefined ? `${text}.service` : text;
  const [, prefix, instance, type] = form.exec(name) ?? [];
  if (name.length > longest)
    throw new UnitNameError(
      `a unit name has at most ${longest} characters: ${JSON.stringify(`${name.slice(0, 20)}…`)} has ${name.length}`,
    );
  if (prefix === undefined || type === undefined)
    throw new UnitNameError(
      `${JSON.stringify(text)} is not a unit name: letters, digits and :-_.\\ are allowed, and one @`,
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

/** An instance name may contain another "@", a prefix may not. */
const form = new RegExp(String.raw`^([\w:.\\-]+)(?:@([\w:.\\@-]*))?\.(${types.join("|")})$`);

/** UNIT_NAME_MAX of systemd, without the NUL. */
const longest = 255;

function suffixOf(text: string): string | undefined {
  const suffix = text.slice(text.lastIndexOf(".") + 1);
  return text.includes(".") && types.includes(suffix) ? suffix : undefined;
}

/** The pattern with which `systemctl restart` restarts a unit. A template does not run itself: all its instances. */
export function restartable(unit: string): string {
  return unit.replace("@.", "@*.");
}

/** The name as one word of a shell: names may contain a backslash ("\x2d"), patterns a star. */
export function shellWord(name: string): string {
  return /^[\w@.:-]+$/.test(name) ? name : `'${name}'`;
}
