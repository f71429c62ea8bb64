/** `mptcpctl report`: what is needed to find a fault, in one file that can be given away. */
import { readFileSync } from "node:fs";
import { version } from "../../base/version.ts";
import { AddressMask, type AddressMode, addressModes } from "../report/addresses.ts";
import { countersSection } from "../report/counters.ts";
import { configurationSection, processesSection, stateSection } from "../report/daemon.ts";
import { enabledServicesSection } from "../report/enabled-services.ts";
import { firewallSection } from "../report/firewall.ts";
import { type Masks, notesOf, type ReportHead, reportJson, reportText } from "../report/format.ts";
import { kernelSection } from "../report/host.ts";
import { addressesSection, linksSection, routesSection, rulesSection } from "../report/network.ts";
import { Secrets } from "../report/secrets.ts";
import { gatherAll, type Section } from "../report/section.ts";
import { logSection, unitSection } from "../report/service.ts";
import { sysctlSection } from "../report/sysctls.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./exit.ts";
import { type PolicyOptions, refuseEmpty, runtimeDirectoryOf } from "./policy-options.ts";
import { checkReportFile, reportName, writeReportFile } from "./report-file.ts";
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
