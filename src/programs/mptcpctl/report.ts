/** `mptcpctl report`: what is needed to find a fault, in one file that can be given away. */
import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { codeOf, messageOf } from "../../base/errors.ts";
import { removeFile } from "../../base/files.ts";
import { version } from "../../base/version.ts";
import { AddressMask, type AddressMode, addressModes } from "../report/addresses.ts";
import { configurationSection, processesSection, stateSection } from "../report/daemon.ts";
import { type Masks, notesOf, type ReportHead, reportJson, reportText } from "../report/format.ts";
import { kernelSection } from "../report/host.ts";
import {
  addressesSection,
  countersSection,
  firewallSection,
  linksSection,
  routesSection,
  rulesSection,
} from "../report/network.ts";
import { Secrets } from "../report/secrets.ts";
import { gatherAll, type Section } from "../report/section.ts";
import { enabledServicesSection, logSection, unitSection } from "../report/service.ts";
import { sysctlSection } from "../report/sysctls.ts";
import type { Context } from "./context.ts";
import { CommandError, UsageError } from "./exit.ts";
import { type PolicyOptions, refuseEmpty, runtimeDirectoryOf } from "./policy-options.ts";
import { commandSections } from "./report-sections.ts";

export type ReportOptions = PolicyOptions & {
  readonly output?: string;
  readonly force?: boolean;
  readonly addresses?: string;
  readonly logLines?: string;
};

export async function runReport(
  words: readonly string[],
  options: ReportOptions,
  context: Context,
): Promise<void> {
  if (words.length > 0)
    throw new UsageError(`report: "${words[0]}" is not understood; it takes options only`);
  const mode = addressMode(options);
  const lines = logLines(options);
  const { force = false } = options;
  const time = new Date();
  const { output = reportName(time, context.json ? "json" : "txt") } = options;
  refuseEmpty("--output", output);
  refuseEmpty("--config", options.config);
  if (output !== "-") checkReportFile(output, force);

  const masks: Masks = { addresses: new AddressMask(mode), secrets: new Secrets() };
  const head = { program: version, time: time.toISOString(), by: identity(), addresses: mode };
  const sections = await gatherAll(sectionsOf(options, lines, masks.secrets, context));
  const text = context.json
    ? reportJson(head, sections, masks, context.pretty)
    : reportText(head, sections, masks);

  if (output === "-") context.write(text);
  else {
    writeReportFile(output, text, force);
    context.write(`${output}\n`);
  }
  const notes = notesOf(sections, masks).length;
  if (notes > 0)
    context.warn(
      `the report begins with ${notes === 1 ? "a note" : `${notes} notes`} on what is missing or amiss`,
    );
}

/** In the order in which one looks for a fault. The configuration comes before what may repeat its secrets. */
function sectionsOf(options: ReportOptions, lines: number, secrets: Secrets, context: Context): Section[] {
  const runtimeDirectory = runtimeDirectoryOf(options);
  return [
    kernelSection,
    processesSection(runtimeDirectory),
    unitSection(secrets),
    configurationSection(options.config, secrets),
    stateSection(runtimeDirectory),
    ...commandSections(options, context),
    countersSection,
    sysctlSection(),
    ...[linksSection, addressesSection, routesSection, rulesSection],
    firewallSection,
    enabledServicesSection(),
    logSection(lines, secrets),
  ];
}

function addressMode({ addresses = "mask" }: ReportOptions): AddressMode {
  const mode = addressModes.find((known) => known === addresses);
  if (mode !== undefined) return mode;
  throw new UsageError(`report: --addresses: "${addresses}" is unknown; allowed: ${addressModes.join(", ")}`);
}

function logLines({ logLines: given = "200" }: ReportOptions): number {
  const count = /^\d{1,6}$/.test(given) ? Number(given) : -1;
  if (count >= 0 && count <= 100_000) return count;
  throw new UsageError(`report: --log-lines: "${given}" is no number from 0 to 100000`);
}

/** What may be missing depends on who asks. */
function identity(): ReportHead["by"] {
  const uid = process.geteuid?.();
  const mask = /^CapEff:\s*([\da-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const isAdmin = (BigInt(`0x${mask}`) & CAP_NET_ADMIN) !== 0n;
  return `${uid === 0 ? "root" : `user ${uid}`} with${isAdmin ? "" : "out"} CAP_NET_ADMIN`;
}

/** capabilities(7) */
const CAP_NET_ADMIN = 1n << 12n;

/** "mptcpd-report-HOST-20261125-220941.txt" */
export function reportName(time: Date, extension: string, host = hostname()): string {
  const date = time.toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, "20261125-220941".length);
  // A host may call itself anything.
  const safe = host.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, 64) || "host";
  return `mptcpd-report-${safe}-${date}.${extension}`;
}

/** Says what is in the way before anything is gathered. Throws CommandError. */
export function checkReportFile(file: string, replace: boolean): void {
  attempt(file, () => {
    const status = lstatSync(file, { throwIfNoEntry: false });
    if (status !== undefined) refuseExisting(file, status, replace);
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
  });
}

/**
 * Writes the file, for its owner alone, whole or not at all. What is there is replaced only if it is a regular file and
 * `replace` says so; a symbolic link is never followed. Throws CommandError.
 */
export function writeReportFile(file: string, text: string, replace: boolean): void {
  const target = replace ? join(dirname(file), `.${basename(file)}.${process.pid}.new`) : file;
  attempt(file, () => {
    // O_EXCL: of a link that somebody put there meanwhile, nothing is opened.
    const fd = openSync(target, "wx", 0o600);
    try {
      try {
        writeFileSync(fd, text);
      } finally {
        closeSync(fd);
      }
      if (replace) {
        checkReportFile(file, replace);
        renameSync(target, file);
      }
    } catch (error) {
      removeFile(target);
      throw error;
    }
  });
}

function refuseExisting(
  file: string,
  status: { isFile(): boolean; isSymbolicLink(): boolean; isDirectory(): boolean },
  replace: boolean,
): void {
  const problem = status.isSymbolicLink()
    ? "is a symbolic link, which is not followed; give another name with --output"
    : status.isDirectory()
      ? "is a directory; give the name of a file with --output"
      : !status.isFile()
        ? "is no regular file; give another name with --output, or - for standard output"
        : replace
          ? undefined
          : "is there already; --force replaces it, --output gives another name";
  if (problem !== undefined) throw new CommandError("EEXIST", `cannot write the report: ${file} ${problem}`);
}

function attempt(file: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const code = codeOf(error);
    if (code === "EEXIST") refuseExisting(file, lstatSync(file), false);
    const why = (code === undefined ? undefined : reasons[code]) ?? messageOf(error);
    // Its code is not the system's: "run it as root" would be no help.
    throw new CommandError("EREPORT", `cannot write the report to ${file}: ${why}`);
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "you may not write to its directory; change to another, or name a file with --output",
  EROFS: "its file system is read-only; name a file elsewhere with --output",
  ENOENT: "its directory does not exist",
  ENOTDIR: "its directory is none",
  ENOSPC: "no space is left",
  ENAMETOOLONG: "the name is too long",
};
