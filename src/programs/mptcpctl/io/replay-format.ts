/** Prints what a path manager does in a replay, in the words of mptcpctl, so that each line can be run. */
import { tokenText } from "../../../control/connections/connection.ts";
import type { WantedEndpoint } from "../../../control/policy/input.ts";
import type { LocalEnd, SubflowEnd } from "../../../kernel/mptcp-pm.ts";
import type { GivenCommand } from "../../../path-managers/simulation/watched-kernel.ts";
import type { JsonObject } from "./ip-format.ts";

/** The current name of an interface. */
export type NameOf = (ifIndex: number) => string;

/** "[    1.234] ", seconds as dmesg(1) prints them. Lines of the same instant have the same stamp. */
export function stamp(milliseconds: number): string {
  return `[${(milliseconds / 1000).toFixed(3).padStart(9)}] `;
}

export function commandText(command: GivenCommand, nameOf: NameOf): string {
  return wordsOf(command, nameOf).join(" ");
}

/** `words` is the whole line; the other fields are its parts. */
export function commandObject(command: GivenCommand, nameOf: NameOf): JsonObject {
  return { command: command.name, ...partsOf(command, nameOf), words: commandText(command, nameOf) };
}

/** Written as `endpoint show` prints an endpoint. */
export function wantedText({ address, port, flags, ifIndex }: WantedEndpoint, nameOf: NameOf): string {
  return [address, ...portWords(port), ...flags.names, ...deviceWords(ifIndex, nameOf)].join(" ");
}

export function wantedObject(wanted: WantedEndpoint, nameOf: NameOf): JsonObject {
  const { flags, priority: _, ...given } = wanted;
  const { id: __, ...rest } = place(given, nameOf);
  return { ...rest, port: given.port || undefined, flags: flags.toString() };
}

function wordsOf(command: GivenCommand, nameOf: NameOf): string[] {
  switch (command.name) {
    case "subflow create": {
      const { token, local, remote, backup } = command;
      return [
        ...[command.name, "token", tokenText(token), ...localWords(local, nameOf), "to", ...ends(remote)],
        ...(backup ? ["backup"] : []),
      ];
    }
    case "subflow destroy":
      return [command.name, ...subflowWords(command)];
    case "subflow change":
      return [command.name, ...subflowWords(command), command.backup ? "backup" : "nobackup"];
    case "announce":
      return [command.name, "token", tokenText(command.token), ...localWords(command.local, nameOf)];
    case "withdraw":
      return [command.name, "token", tokenText(command.token), `id ${command.id}`];
    case "listen":
      return [command.name, ...ends(command.local)];
    case "endpoint add": {
      const { flags, ...place } = command.endpoint;
      return [command.name, ...localWords(place, nameOf), ...flags.names];
    }
    case "endpoint change":
      return [
        command.name,
        `id ${command.id}`,
        ...(command.flags.names.length > 0 ? command.flags.names : ["nobackup"]),
      ];
    case "endpoint delete":
      return [command.name, `id ${command.id}`];
    case "endpoint renew":
      return [command.name, command.address];
    case "endpoint flush":
      return [command.name];
    case "limits set":
      return [
        ...[command.name, `subflows ${command.limits.subflows}`],
        `add_addr_accepted ${command.limits.addAddrAccepted}`,
      ];
  }
}

function partsOf(command: GivenCommand, nameOf: NameOf): JsonObject {
  switch (command.name) {
    case "subflow create":
    case "subflow destroy":
    case "subflow change": {
      const { token, local, remote } = command;
      const backup = "backup" in command ? command.backup : undefined;
      return { token: tokenText(token), ...place(local, nameOf), to: place(remote, nameOf), backup };
    }
    case "announce":
      return { token: tokenText(command.token), ...place(command.local, nameOf) };
    case "withdraw":
      return { token: tokenText(command.token), id: command.id };
    case "listen":
      return place(command.local, nameOf);
    case "endpoint add":
      return { ...place(command.endpoint, nameOf), flags: command.endpoint.flags.toString() };
    case "endpoint change":
      return { id: command.id, flags: command.flags.toString() };
    case "endpoint delete":
      return { id: command.id };
    case "endpoint renew":
      return { address: command.address };
    case "endpoint flush":
      return {};
    case "limits set":
      return { subflows: command.limits.subflows, add_addr_accepted: command.limits.addAddrAccepted };
  }
}

function place(given: LocalEnd, nameOf: NameOf): JsonObject {
  const { address, port, id, ifIndex } = given;
  return { address, port, id, dev: ifIndex ? nameOf(ifIndex) : undefined };
}

function subflowWords(given: {
  readonly token: number;
  readonly local: SubflowEnd;
  readonly remote: SubflowEnd;
}): string[] {
  return ["token", tokenText(given.token), ...ends(given.local), "to", ...ends(given.remote)];
}

function localWords({ address, port, id, ifIndex }: LocalEnd, nameOf: NameOf): string[] {
  const idWords = id === undefined ? [] : [`id ${id}`];
  return [address, ...idWords, ...portWords(port), ...deviceWords(ifIndex, nameOf)];
}

function ends({ address, port }: SubflowEnd): string[] {
  return [address, ...portWords(port)];
}

function portWords(port = 0): string[] {
  return port === 0 ? [] : [`port ${port}`];
}

function deviceWords(ifIndex: number | undefined, nameOf: NameOf): string[] {
  return ifIndex ? [`dev ${nameOf(ifIndex)}`] : [];
}
