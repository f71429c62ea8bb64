/** `mptcpctl report`: gathers the facts needed to find a fault in one file that can be given away. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { version } from "../../../base/version.ts";
import { ConfigError } from "../../../control/config/config.ts";
import { type MptcpInfo, Sockets } from "../../../kernel/sockets.ts";
import { AddressMask, type AddressMode, addressModes } from "../../report/address-mask.ts";
import { kernelSection, sysctlSection } from "../../report/kernel-sections.ts";
import { configurationSection, processesSection, stateSection } from "../../report/mptcpd-sections.ts";
import {
  addressesSection,
  countersSection,
  firewallSection,
  linksSection,
  routesSection,
  rulesSection,
} from "../../report/network-sections.ts";
import { type Masks, notesOf, type ReportHead, reportJson, reportText } from "../../report/report-format.ts";
import { Secrets, withoutQuotes } from "../../report/secrets.ts";
import { gatherAll, type Section } from "../../report/section.ts";
import { enabledServicesSection, logSection, unitSection } from "../../report/systemd-sections.ts";
import { connectionObject, connectionText, placeText } from "../io/connection-format.ts";
import { type PolicyOptions, refuseEmpty, runtimeDirectoryOf } from "../io/mptcpd-state.ts";
import { CommandError, type CommandOutput, UsageError } from "../io/output.ts";
import { checkReportFile, writeReportFile } from "../io/output-files.ts";
import { currentConnections, readInterfaces } from "./connections.ts";
import { runEndpoint, runLimits } from "./endpoint.ts";
import { runExplain } from "./explain.ts";

export type ReportOptions = PolicyOptions & {
  readonly output?: string;
  readonly force?: boolean;
  readonly addresses?: string;
  readonly logLines?: string;
};

export async function runReport(
  words: readonly string[],
  options: ReportOptions,
  output: CommandOutput,
): Promise<void> {
  if (words.length > 0)
    throw new UsageError(`report: "${words[0]}" is not understood; it takes options only`);
  const mode = addressMode(options);
  const lines = logLines(options);
  const { force = false } = options;
  const time = new Date();
  const { output: file = reportName(time, output.json ? "json" : "txt") } = options;
  refuseEmpty("--output", file);
  refuseEmpty("--config", options.config);
  if (file !== "-") checkReportFile(file, force);

  const masks: Masks = { addresses: new AddressMask(mode), secrets: new Secrets() };
  const head = { program: version, time: time.toISOString(), by: identity(), addresses: mode };
  const sections = await gatherAll(sectionsOf(options, lines, masks.secrets, output));
  const text = output.json
    ? reportJson(head, sections, masks, output.pretty)
    : reportText(head, sections, masks);

  if (file === "-") output.write(text);
  else {
    writeReportFile(file, text, force);
    output.write(`${file}\n`);
  }
  const notes = notesOf(sections, masks).length;
  if (notes > 0)
    output.warn(
      `the report begins with ${notes === 1 ? "a note" : `${notes} notes`} about missing facts or faults`,
    );
}

/** In the order of a search for a fault. The configuration comes before the sections that may repeat its secrets. */
function sectionsOf(
  options: ReportOptions,
  lines: number,
  secrets: Secrets,
  output: CommandOutput,
): Section[] {
  const runtimeDirectory = runtimeDirectoryOf(options);
  return [
    kernelSection,
    processesSection(runtimeDirectory),
    unitSection(secrets),
    configurationSection(options.config, secrets),
    stateSection(runtimeDirectory),
    ...commandSections(options, output),
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
  throw new UsageError(`report: --log-lines: "${given}" is not a number from 0 to 100000`);
}

/** The report says who made it, because users without rights see less. */
function identity(): ReportHead["by"] {
  const uid = process.geteuid?.();
  const mask = /^CapEff:\s*([\da-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const isAdmin = (BigInt(`0x${mask}`) & CAP_NET_ADMIN) !== 0n;
  return `${uid === 0 ? "root" : `user ${uid}`} with${isAdmin ? "" : "out"} CAP_NET_ADMIN`;
}

/** capabilities(7) */
const CAP_NET_ADMIN = 1n << 12n;

/** "mptcpd-report-HOST-20261125-220941.txt" */
function reportName(time: Date, extension: string, host = hostname()): string {
  const date = time.toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, "20261125-220941".length);
  // A host name may contain any character.
  const safe = host.replace(/[^A-Za-z0-9_.-]/g, "_").slice(0, 64) || "host";
  return `mptcpd-report-${safe}-${date}.${extension}`;
}

/** Enough to find a fault; nobody reads more. */
const mostConnections = 200;

/** The sections that repeat the output of other commands. */
function commandSections(options: PolicyOptions, output: CommandOutput): Section[] {
  const asPrinted = (
    name: string,
    title: string,
    run: (output: CommandOutput) => Promise<void>,
  ): Section => ({
    name,
    title,
    async gather() {
      let printed = "";
      const notes: string[] = [];
      const write = (text: string): void => {
        printed += text;
      };
      const warn = (note: string): void => void notes.push(note);
      await run({ ...output, pretty: false, write, warn });
      const data: unknown = output.json ? JSON.parse(printed) : undefined;
      return { text: printed, data, notes };
    },
  });
  return [
    asPrinted("endpoints", "as `mptcpctl endpoint`", (captured) => runEndpoint("show", [], captured)),
    asPrinted("limits", "as `mptcpctl limits`", (captured) => runLimits("show", [], captured)),
    asPrinted("explain", "what becomes of each address, and why, as `mptcpctl explain`", (captured) =>
      explainQuietly(options, captured),
    ),
    connectionsSection,
    listenersSection,
  ];
}

/** Leaves out the faults of the configuration: they quote it, so they belong to the configuration's section. */
async function explainQuietly(options: PolicyOptions, output: CommandOutput): Promise<void> {
  try {
    await runExplain([], options, { ...output, warn: (note) => output.warn(withoutQuotes(note)) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CommandError("ECONFIG", "mptcpd's configuration has faults: see the section about it");
  }
}

const connectionsSection: Section = {
  name: "connections",
  title: `MPTCP connections, as \`mptcpctl connections\`, and what the kernel counts; at most ${mostConnections}`,
  async gather() {
    const all = await currentConnections();
    const interfaceOf = await readInterfaces();
    const shown = all.slice(0, mostConnections);
    const left = all.length - shown.length;
    return {
      text: shown.map((one) => `${connectionText(one, interfaceOf)}  ${infoText(one.info)}\n`).join("\n"),
      data: shown.map((one) => ({ ...connectionObject(one, interfaceOf), info: countsOf(one.info) })),
      notes: [
        ...(left > 0 ? [`${left} more connections are left out`] : []),
        ...(shown.some(({ unidentified }) => unidentified.length > 0)
          ? [
              "only root can read address ids and backup flags of subflows; after a fallback to TCP nobody can",
            ]
          : []),
      ],
    };
  },
};

const listenersSection: Section = {
  name: "listeners",
  title: "sockets that listen for MPTCP connections",
  async gather() {
    const sockets = Sockets.open();
    try {
      const listeners = await sockets.dumpListeners();
      const lines = listeners.map(
        ({ local, uid, waiting, backlog }) =>
          `${placeText(local)}: user ${uid}, ${waiting} of ${backlog} connections wait\n`,
      );
      return { text: lines.join(""), data: listeners };
    } finally {
      sockets.close();
    }
  },
};

/** The fields of struct mptcp_info, without the sequence numbers and the token, which only the two ends should know. */
function countsOf({ writeSequence, sendUnacknowledged, receiveNext, token, reserved, ...counts }: MptcpInfo) {
  return { ...counts, bytesUnacknowledged: writeSequence - sendUnacknowledged };
}

function infoText(info: MptcpInfo): string {
  return Object.entries(countsOf(info))
    .map(([name, value]) => `${name}:${String(value) || "-"}`)
    .join(" ");
}
