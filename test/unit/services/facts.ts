/** Facts about services for tests of the plan: what a test does not say is that of a plain service. */

import { effectiveEnvironment, writtenSources } from "../../../src/services/environment.ts";
import type { Inspection } from "../../../src/services/launcher.ts";
import { Refusal } from "../../../src/services/refusal.ts";
import type { ServiceFacts } from "../../../src/services/service-facts.ts";
import { execLines } from "../../../src/services/systemd/exec-line.ts";
import { Properties } from "../../../src/services/systemd/systemctl.ts";
import { parseUnitFile } from "../../../src/services/systemd/unit-syntax.ts";
import type { Unit } from "../../../src/services/unit.ts";

export const launcher = "/usr/bin/mptcpize";
export const library = "/usr/lib/mptcpize/libmptcpwrap.so";
export const environmentFile = "/etc/systemd/system/web.service.d/50-mptcpize.env";
export const fragment = "/lib/systemd/system/web.service";

export type Given = {
  readonly unit?: Partial<Unit>;
  /** Lines of [Service] in the unit file. */
  readonly service?: readonly string[];
  /** Lines of [Service] in drop-ins, by their file names. */
  readonly dropIns?: Readonly<Record<string, readonly string[]>>;
  readonly properties?: Readonly<Record<string, string>>;
  readonly environmentFiles?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly manager?: Readonly<Record<string, string>>;
  readonly passed?: Readonly<Record<string, string>>;
  readonly programs?: readonly Partial<Inspection>[];
  readonly asRoot?: boolean;
  readonly systemdVersion?: number;
  readonly accepting?: string | undefined;
};

export function serviceFacts(given: Given = {}): ServiceFacts {
  const { service = ["ExecStart=/usr/sbin/web"], dropIns = {}, programs = [{}] } = given;
  const files = Object.entries(dropIns).map(([name, lines]) => ({
    path: `/etc/systemd/system/web.service.d/${name}`,
    lines,
  }));
  const assignments = [{ path: fragment, lines: service }, ...files].flatMap(({ path, lines }) =>
    parseUnitFile(["[Service]", ...lines, ""].join("\n"), path),
  );
  const environmentSources = writtenSources(assignments, {
    manager: new Map(Object.entries(given.manager ?? {})),
    passed: new Map(Object.entries(given.passed ?? {})),
    files: new Map(
      Object.entries(given.environmentFiles ?? {}).map(([path, values]) => [
        path,
        new Map(Object.entries(values)),
      ]),
    ),
  });
  return {
    unit: { ...plainUnit, ...given.unit },
    files: { fragment, assignments },
    environment: effectiveEnvironment(environmentSources),
    environmentSources,
    properties: properties(given.properties),
    execStart: execLines(assignments, "ExecStart"),
    programs: programs.map((inspection) => ({
      path: "/usr/sbin/web",
      inspection: { ...plainInspection, ...inspection },
    })),
    asRoot: given.asRoot ?? true,
    systemdVersion: given.systemdVersion ?? 252,
    accepting: given.accepting,
  };
}

export function properties(values: Readonly<Record<string, string>> = {}): Properties {
  return new Properties(new Map(Object.entries(values).map(([name, value]) => [name, [value]])));
}

/** For assert.throws: a Refusal whose message has all of these. */
export function refusal(...parts: readonly string[]): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && parts.every((part) => error.message.includes(part));
}

const plainUnit: Unit = {
  name: "web.service",
  type: "service",
  template: false,
  templateName: undefined,
  fragment,
  dropIns: [],
};

const plainInspection: Inspection = {
  way: "preload",
  program: "/usr/sbin/web",
  why: "dynamically linked, glibc",
  set: new Map([
    ["LD_PRELOAD", library],
    ["GODEBUG", "multipathtcp=1"],
  ]),
  warnings: [],
};
