import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { EndpointKernel } from "../../src/control/endpoints/endpoint-table.ts";
import { type EndpointFlag, endpointFlags, MptcpPm } from "../../src/kernel/mptcp-pm.ts";
import { NetlinkError } from "../../src/kernel/netlink/errors.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { SimulatedEndpoints } from "../../src/path-managers/simulation/endpoints.ts";
import { kernelIsOlderThan } from "../lab/vm.ts";
import { FakePathManager } from "../unit/control/endpoints/fakes.ts";

interface Given {
  readonly flags?: readonly EndpointFlag[];
  readonly id?: number;
  readonly port?: number;
}

/** What an endpoint gets for an answer, after 10.0.0.1 of id 1 was added: "done", or the code of the refusal. */
const additions: readonly (readonly [string, string, Given])[] = [
  ["of another address", "10.0.0.2", { id: 2 }],
  ["of the same address", "10.0.0.1", { id: 3 }],
  ["of the same address, though the id is taken as well", "10.0.0.1", { id: 1 }],
  ["of a taken id", "10.0.0.3", { id: 1 }],
];

async function answerOf(
  kernel: EndpointKernel,
  address: string,
  { flags = ["subflow"], ...more }: Given,
): Promise<string> {
  try {
    await kernel.addEndpoint({ address, flags: endpointFlags.of(...flags), ...more });
    return "done";
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return error.code;
  }
}

async function answersOf(kernel: EndpointKernel): Promise<string[]> {
  await kernel.addEndpoint({ address: "10.0.0.1", flags: endpointFlags.of("subflow"), id: 1 });
  const answers: string[] = [];
  for (const [, address, given] of additions) answers.push(await answerOf(kernel, address, given));
  for (let host = 10; ; host++) {
    const answer = await answerOf(kernel, `10.0.0.${host}`, {});
    if (answer === "done") continue;
    // With no slot left that is what it says first.
    return [...answers, answer, await answerOf(kernel, "10.0.0.1", { id: 1 })];
  }
}

describe("the kernel's answer to an endpoint", { skip: requires() }, () => {
  let pm: MptcpPm;
  before(async () => {
    pm = await MptcpPm.open();
    await pm.flushEndpoints();
  });
  after(async () => {
    await pm.flushEndpoints();
    pm.close();
  });

  it("is what the simulation, and the kernel of the unit tests, answer", async (t) => {
    if (kernelIsOlderThan("6.2")) return t.skip("needs Linux 6.2, which tells the refusals apart");
    const real = await answersOf(pm);
    assert.deepEqual(real, ["done", "EEXIST", "EBUSY", "EBUSY", "ERANGE", "ERANGE"]);
    assert.deepEqual(await answersOf(new SimulatedEndpoints()), real);
    assert.deepEqual(await answersOf(new FakePathManager()), real);
  });
});
