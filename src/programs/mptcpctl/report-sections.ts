/** The parts of a report that are what other commands print. */
import { ConfigError } from "../../control/config/config.ts";
import { type MptcpInfo, Sockets } from "../../kernel/sockets.ts";
import { withoutQuotes } from "../report/configuration.ts";
import type { Section } from "../report/section.ts";
import { connectionObject, connectionText, placeText } from "./connection-format.ts";
import { currentConnections, readInterfaces } from "./connections.ts";
import type { Context } from "./context.ts";
import { runEndpoint, runLimits } from "./endpoint.ts";
import { CommandError } from "./exit.ts";
import { runExplain } from "./explain.ts";
import type { PolicyOptions } from "./policy-options.ts";

/** More than anybody reads. */
const mostConnections = 200;

export function commandSections(options: PolicyOptions, context: Context): Section[] {
  const printed = (name: string, title: string, run: (context: Context) => Promise<void>): Section => ({
    name,
    title,
    async gather() {
      let output = "";
      const notes: string[] = [];
      const write = (text: string): void => {
        output += text;
      };
      const warn = (note: string): void => void notes.push(note);
      await run({ ...context, pretty: false, write, warn });
      const data: unknown = context.json ? JSON.parse(output) : undefined;
      return { text: output, data, notes };
    },
  });
  return [
    printed("endpoints", "as `mptcpctl endpoint`", (captured) => runEndpoint("show", [], captured)),
    printed("limits", "as `mptcpctl limits`", (captured) => runLimits("show", [], captured)),
    printed("explain", "what becomes of each address, and why, as `mptcpctl explain`", (captured) =>
      explainQuietly(options, captured),
    ),
    connectionsSection,
    listenersSection,
  ];
}

/** Faults of the configuration, which quote it, stand with the configuration. */
async function explainQuietly(options: PolicyOptions, context: Context): Promise<void> {
  try {
    await runExplain([], options, { ...context, warn: (note) => context.warn(withoutQuotes(note)) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CommandError("ECONFIG", "mptcpd's configuration cannot be used: see there");
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
              "address ids and backup of subflows are known to root alone, or not at all after a fallback to TCP",
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

/** The fields of struct mptcp_info; where in its stream a connection is stays between its two ends. */
function countsOf({ writeSequence, sendUnacknowledged, receiveNext, token, reserved, ...counts }: MptcpInfo) {
  return { ...counts, bytesUnacknowledged: writeSequence - sendUnacknowledged };
}

function infoText(info: MptcpInfo): string {
  return Object.entries(countsOf(info))
    .map(([name, value]) => `${name}:${String(value) || "-"}`)
    .join(" ");
}
