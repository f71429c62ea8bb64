/** `mptcpctl adopt`: hands over endpoints to mptcpd that somebody else made. */

import { pollFor } from "../../../base/deadlines.ts";
import { requestAdoption } from "../../../control/endpoints/adoption.ts";
import { currentNamespace } from "../../../control/endpoints/namespace.ts";
import type { Endpoint } from "../../../kernel/mptcp-pm.ts";
import { canonicalIp } from "../../../kernel/netlink/ip.ts";
import { namesOf } from "../io/interfaces.ts";
import { endpointObject, jsonList } from "../io/ip-format.ts";
import { withPathManager } from "../io/kernel-access.ts";
import { ledgerOf, type PolicyOptions, runtimeDirectoryOf } from "../io/mptcpd-state.ts";
import { CommandError, type CommandOutput, UsageError } from "../io/output.ts";

export type AdoptOptions = PolicyOptions & { readonly all?: boolean };

export async function runAdopt(
  words: readonly string[],
  options: AdoptOptions,
  output: CommandOutput,
): Promise<void> {
  const addresses = readAddresses(words, options);
  const ledger = ledgerOf(options, output);
  const foreign = await withPathManager(async (pm) => {
    const all = await pm.dumpEndpoints();
    for (const address of addresses ?? [])
      if (!all.some((endpoint) => endpoint.address === address))
        throw new CommandError(
          "ENOENT",
          `cannot adopt ${address}: it is not an endpoint; \`mptcpctl endpoint\` lists the endpoints`,
        );
    // Implicit endpoints belong to the kernel: it replaces them itself when an endpoint of the address is added.
    return all.filter((endpoint) => !ledger.owns(endpoint) && !endpoint.flags.has("implicit"));
  });
  const chosen = foreign.filter(({ address }) => addresses === undefined || addresses.includes(address));
  if (chosen.length > 0) await handOver(chosen, runtimeDirectoryOf(options));
  await report(chosen, output);
}

/** Undefined means all. */
function readAddresses(words: readonly string[], { all = false }: AdoptOptions): string[] | undefined {
  if (all === words.length > 0) throw new UsageError("adopt: give either ADDRESS or --all");
  if (all) return undefined;
  return words.map((word) => {
    const address = canonicalIp(word);
    if (address === undefined)
      throw new UsageError(`adopt: "${word}" is not an address; allowed: ADDRESS..., --all`);
    return address;
  });
}

/** Milliseconds. Longer than a running mptcpd needs to read the kernel and act. */
const patienceMs = 5_000;
const pollMs = 20;

/** Enters the endpoints in mptcpd's ledger. A running mptcpd owns its ledger, so it is asked to do it. */
async function handOver(endpoints: readonly Endpoint[], directory: string): Promise<void> {
  const request = requestAdoption(directory, currentNamespace(), endpoints);
  if (request.isDone()) return;
  const daemon = request.wake();
  const isDone = await pollFor(() => request.isDone(), { intervalMs: pollMs, deadlineMs: patienceMs });
  if (!isDone) throw new CommandError("ETIMEDOUT", tooSlow(daemon));
}

/** @param daemon the pid of mptcpd, if known */
function tooSlow(daemon: number | undefined): string {
  const who = daemon === undefined ? "a running mptcpd" : `mptcpd with pid ${daemon}`;
  return `${who} has not adopted them in ${patienceMs / 1000} s; it looks again within 30 s; check with \`mptcpctl explain\``;
}

async function report(adopted: readonly Endpoint[], output: CommandOutput): Promise<void> {
  if (output.json) {
    const devices = await namesOf(adopted.map(({ ifIndex }) => ifIndex));
    const objects = adopted.map((endpoint) => endpointObject(endpoint, devices.get(endpoint.ifIndex)));
    output.write(jsonList(objects, output.pretty));
  } else if (adopted.length === 0) output.write("nothing to adopt: mptcpd has them already\n");
  else for (const { id, address } of adopted) output.write(`${address} id ${id}: adopted\n`);
}
