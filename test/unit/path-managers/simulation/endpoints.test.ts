import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type EndpointFlag, endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { SimulatedEndpoints } from "../../../../src/path-managers/simulation/endpoints.ts";

describe("the simulated kernel's endpoints", () => {
  it("get the next id, and are listed by it", async () => {
    const endpoints = new SimulatedEndpoints();
    await add(endpoints, "10.0.0.1");
    await add(endpoints, "10.0.0.2");
    await endpoints.deleteEndpoint({ id: 1 });
    await add(endpoints, "10.0.0.3");
    await add(endpoints, "10.0.0.4", { id: 1 });
    assert.deepEqual(await shown(endpoints), [
      "1 10.0.0.4 subflow",
      "2 10.0.0.2 subflow",
      "3 10.0.0.3 subflow",
    ]);
  });

  it("begin anew with the lowest id after the largest was given, and after all were removed", async () => {
    const endpoints = new SimulatedEndpoints();
    await add(endpoints, "10.0.0.1", { id: 255 });
    await add(endpoints, "10.0.0.2");
    assert.deepEqual(await shown(endpoints), ["1 10.0.0.2 subflow", "255 10.0.0.1 subflow"]);
    await endpoints.flushEndpoints();
    await add(endpoints, "10.0.0.3");
    assert.deepEqual(await shown(endpoints), ["1 10.0.0.3 subflow"]);
  });

  it("are refused where the address or the id is taken, or no slot is left", async () => {
    const endpoints = new SimulatedEndpoints();
    await add(endpoints, "10.0.0.1");
    await assert.rejects(add(endpoints, "10.0.0.1"), { code: "EEXIST" });
    await assert.rejects(add(endpoints, "10.0.0.2", { id: 1 }), { code: "EBUSY" });
    for (let host = 2; host <= 8; host++) await add(endpoints, `10.0.0.${host}`);
    await assert.rejects(add(endpoints, "10.0.0.9"), { code: "ERANGE" });
  });

  it("may have one address with several ports, for signal without subflow", async () => {
    const endpoints = new SimulatedEndpoints();
    await add(endpoints, "10.0.0.1");
    await add(endpoints, "10.0.0.1", { flags: ["signal"], port: 80 });
    await assert.rejects(add(endpoints, "10.0.0.1", { flags: ["signal"], port: 80 }), {
      code: "EADDRINUSE",
    });
    await assert.rejects(add(endpoints, "10.0.0.1", { flags: ["subflow", "signal"], port: 81 }), {
      code: "EINVAL",
    });
    assert.deepEqual(await shown(endpoints), ["1 10.0.0.1 subflow", "2 10.0.0.1 port 80 signal"]);
  });

  it("have signal or fullmesh, not both", async () => {
    const both = add(new SimulatedEndpoints(), "10.0.0.1", { flags: ["signal", "fullmesh"] });
    await assert.rejects(both, { code: "EINVAL", message: /mustn't have both/ });
  });

  it("change in backup and fullmesh alone", async () => {
    const endpoints = new SimulatedEndpoints();
    await add(endpoints, "10.0.0.1", { flags: ["subflow", "fullmesh"] });
    await endpoints.changeEndpoint({ id: 1, flags: endpointFlags.of("backup") });
    assert.deepEqual(await shown(endpoints), ["1 10.0.0.1 subflow,backup"]);
    const change = endpoints.changeEndpoint({ id: 2, flags: endpointFlags.of() });
    await assert.rejects(change, { code: "EINVAL", message: /address not found/ });
  });

  it("are gone once removed", async () => {
    const endpoints = new SimulatedEndpoints();
    await add(endpoints, "10.0.0.1");
    assert.equal((await endpoints.getEndpoint(1))?.address, "10.0.0.1");
    await endpoints.deleteEndpoint({ id: 1 });
    assert.equal(await endpoints.getEndpoint(1), undefined);
    await assert.rejects(endpoints.deleteEndpoint({ id: 1 }), { code: "EINVAL" });
  });

  it("have limits beside them, up to eight", async () => {
    const endpoints = new SimulatedEndpoints();
    await endpoints.setLimits({ subflows: 8, addAddrAccepted: 3 });
    await assert.rejects(endpoints.setLimits({ subflows: 9, addAddrAccepted: 0 }), {
      message: /limit greater than maximum \(8\)/,
    });
    assert.deepEqual(await endpoints.getLimits(), { subflows: 8, addAddrAccepted: 3 });
  });
});

function add(
  endpoints: SimulatedEndpoints,
  address: string,
  { flags = ["subflow"], ...more }: { flags?: readonly EndpointFlag[]; id?: number; port?: number } = {},
): Promise<void> {
  return endpoints.addEndpoint({ address, flags: endpointFlags.of(...flags), ...more });
}

async function shown(endpoints: SimulatedEndpoints): Promise<string[]> {
  const list = await endpoints.dumpEndpoints();
  return list.map(
    ({ id, address, port, flags }) => `${id} ${address}${port ? ` port ${port}` : ""} ${flags}`,
  );
}
