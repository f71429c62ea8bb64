import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { after, before, beforeEach, describe, it, type TestContext } from "node:test";
import { endpointFlags, MptcpPm } from "../../src/kernel/mptcp-pm.ts";
import { type PmRefusal, refusalOf } from "../../src/kernel/mptcp-pm-refusals.ts";
import { mptcpConnect, mptcpListen } from "../../src/kernel/native-sockets.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { kernelIsOlderThan } from "../lab/vm.ts";

const subflow = endpointFlags.of("subflow");
const isOld = kernelIsOlderThan("6.2");

describe("the kernel's path manager refuses", { skip: requires() }, () => {
  let lab: Lab;
  let here: Host;
  let pm: MptcpPm;
  before(async () => {
    lab = await Lab.create();
    here = await lab.here();
    pm = await MptcpPm.open();
  });
  beforeEach(() => pm.flushEndpoints());
  after(async () => {
    await pm.flushEndpoints();
    pm.close();
    await lab.close();
  });

  /** What provokes each refusal: a refusal without a test does not compile. */
  const provocations: Readonly<Record<PmRefusal, (t: TestContext) => Promise<unknown>>> = {
    "no-such-connection": () => pm.remove({ token: 1, id: 1 }),

    "kernel-path-manager": async (t) => {
      const { token } = await connection(t, { pathManager: "kernel" });
      return await pm.remove({ token, id: 1 });
    },

    "not-established": async (t) => {
      const { token, remote } = await connection(t, { state: "created" });
      return await pm.createSubflow({ token, local: { address: "127.0.0.2", id: 2 }, remote });
    },

    "address-id-mismatch": async (t) => {
      const { token } = await connection(t);
      await pm.announce({ token, address: "127.0.0.2", id: 2 });
      return await pm.announce({ token, address: "127.0.0.3", id: 2 });
    },

    "no-such-address-id": async (t) => {
      const { token } = await connection(t);
      return await pm.remove({ token, id: 9 });
    },

    "families-mismatch": async (t) => {
      const { token } = await connection(t);
      const remote = { address: "::1", port: 1 };
      return await pm.createSubflow({ token, local: { address: "::1", id: 2 }, remote });
    },

    "no-such-subflow": async (t) => {
      const { token, remote } = await connection(t);
      return await pm.destroySubflow({ token, local: { address: "127.0.0.2", port: 1 }, remote });
    },

    "no-such-endpoint": () => pm.deleteEndpoint({ id: 9 }),

    "no-slot": async () => {
      // Ids are a byte, so no kernel holds more.
      for (let host = 1; host <= 256; host++)
        await pm.addEndpoint({ address: `10.0.${host >> 8}.${host & 255}`, flags: subflow });
    },

    "address-taken": async () => {
      await pm.addEndpoint({ address: "10.0.0.1", flags: subflow, id: 1 });
      return await pm.addEndpoint({ address: "10.0.0.1", flags: subflow, id: 2 });
    },

    "id-taken": async () => {
      await pm.addEndpoint({ address: "10.0.0.1", flags: subflow, id: 1 });
      return await pm.addEndpoint({ address: "10.0.0.2", flags: subflow, id: 1 });
    },

    "no-slot-or-taken": async () => {
      await pm.addEndpoint({ address: "10.0.0.1", flags: subflow });
      return await pm.addEndpoint({ address: "10.0.0.1", flags: subflow });
    },

    "limit-too-high": () => pm.setLimits({ subflows: 1000, addAddrAccepted: 0 }),
  };
  /** Kernels before Linux 6.2 have one answer for these. */
  const ofAdditions = ["no-slot", "address-taken", "id-taken"];

  for (const [refusal, provoke] of Object.entries(provocations)) {
    if (refusal === "no-slot-or-taken" && !isOld) continue;
    it(refusal, async (t) => {
      const expected = isOld && ofAdditions.includes(refusal) ? "no-slot-or-taken" : refusal;
      await assert.rejects(provoke(t), (error) => {
        assert.equal(refusalOf(error), expected, String(error));
        return true;
      });
    });
  }

  it("an endpoint that is not there: it gives none, and changes none", async () => {
    assert.equal(await pm.getEndpoint(9), undefined);
    await assert.rejects(pm.changeEndpoint({ id: 9, flags: endpointFlags.of("backup") }), (error) => {
      // Without words.
      assert.equal(refusalOf(error), isOld ? undefined : "no-such-endpoint");
      return true;
    });
  });

  /** A connection of this host with itself. "created": its handshake is not confirmed by data yet. */
  async function connection(
    t: TestContext,
    {
      pathManager = "userspace",
      state = "established",
    }: { pathManager?: "userspace" | "kernel"; state?: "created" | "established" } = {},
  ): Promise<{ token: number; remote: { address: string; port: number } }> {
    await here.sysctl("net.mptcp.pm_type", pathManager === "userspace" ? 1 : 0);
    t.after(() => here.sysctl("net.mptcp.pm_type", 0));
    let token: number | undefined;
    const subscription = pm.events({
      event: (event) => {
        if (event.event === state && !event.serverSide) token = event.token;
      },
      overrun: assert.fail,
      error: assert.ifError,
    });
    t.after(() => subscription.close());
    const { fd, port } = mptcpListen({ address: "127.0.0.1", port: 0 });
    const server = createServer((peer) => {
      t.after(() => peer.destroy());
      peer.pipe(peer);
    });
    t.after(() => server.close());
    server.listen({ fd });
    const client = new Socket({ fd: await mptcpConnect({ address: "127.0.0.1", port }) });
    t.after(() => client.destroy());
    if (state === "established") {
      client.write("x");
      await once(client, "data");
    }
    const found = await waitFor(`the event ${state}`, () => token);
    assert.ok(found);
    return { token: found, remote: { address: "127.0.0.1", port } };
  }
});
