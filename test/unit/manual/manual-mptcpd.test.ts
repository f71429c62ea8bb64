import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { journalSocket, syslogSocket } from "../../../src/base/log/sinks.ts";
import { defaultConfigFile } from "../../../src/control/config/config.ts";
import { namespaceFiles } from "../../../src/control/endpoints/namespace.ts";
import { checkout } from "../../../src/lab/kit/checkout.ts";
import { parseArguments } from "../../../src/programs/mptcpd/arguments.ts";
import * as exits from "../../../src/programs/mptcpd/exit.ts";
import { type Option, options } from "../../../src/programs/mptcpd/options.ts";
import { namesOf, sectionOf, termsOf } from "./page.ts";

const page = "mptcpd.8";

function termFor({ short, long, argument }: Option): string {
  if (argument === undefined) return short === undefined ? `--${long}` : `-${short}, --${long}`;
  return short === undefined ? `--${long}=${argument}` : `-${short} ${argument}, --${long}=${argument}`;
}

const packaged = (directory: string) => readdirSync(join(checkout, "packaging", directory));

describe("mptcpd(8)", () => {
  it("has the program's options, and no others", () => {
    assert.deepEqual(termsOf(page, "OPTIONS").toSorted(), options.map(termFor).toSorted());
  });

  it("has the program's signals, and no others", () => {
    assert.deepEqual(namesOf(page, "SIGNALS").toSorted(), Object.values(exits.signals).flat().toSorted());
  });

  it("has the program's exit statuses, and no others", () => {
    const codes = [0, ...Object.values(exits).filter((value) => typeof value === "number")];
    assert.deepEqual(termsOf(page, "EXIT STATUS").toSorted(), codes.map(String).toSorted());
  });

  it("has the program's files, and no others", () => {
    const command = parseArguments([], {});
    const directory = command.kind === "run" ? command.runtimeDir : assert.fail();
    const state = namespaceFiles.map((suffix) => `${directory}/netns-*.${suffix}`);
    const instances = `${directory}@NAME/netns-*`;
    const units = packaged("systemd").map((name) => `/usr/lib/systemd/system/${name}`);
    const sysctls = packaged("sysctl.d").map((name) => `/usr/lib/sysctl.d/${name}`);
    const sockets = [syslogSocket, journalSocket];
    const programs = ["/usr/libexec/mptcpd", "/usr/sbin/mptcpd"];
    const actual = [defaultConfigFile, ...programs, ...state, instances, ...units, ...sysctls, ...sockets];
    const documented = termsOf(page, "FILES").flatMap((term) => term.split(", "));
    assert.deepEqual(documented.toSorted(), actual.toSorted());
  });

  it("names the options that the C program has not", () => {
    const ours = options.filter(({ isNew }) => isNew).map(({ long }) => `--${long}`);
    const { text } = sectionOf(page, "OPTIONS");
    const named = text.replaceAll("\n", " ").match(/new here \(([^)]*)\)/)?.[1] ?? "";
    assert.deepEqual(named.split(", ").toSorted(), ours.toSorted());
  });
});
