import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Config, defaultConfig } from "../../../../src/control/config/config.ts";
import { AdditionLane } from "../../../../src/control/endpoints/addition-lane.ts";
import { plan, type Step } from "../../../../src/control/endpoints/plan.ts";
import { type Network, NetworkModel } from "../../../../src/control/network/network.ts";
import type { CurrentEndpoint } from "../../../../src/control/policy/decision.ts";
import { hostAddresses } from "../../../../src/control/policy/host-addresses.ts";
import { everyAddress, type Wanted } from "../../../../src/control/policy/input.ts";
import { decide } from "../../../../src/control/policy/policy.ts";
import type { Address } from "../../../../src/kernel/addresses.ts";
import { rounds } from "../../../lab/campaign.ts";
import {
  address,
  apply,
  change,
  config,
  current,
  ifIndex,
  network,
  wishes,
} from "../policy/arbitrary-network.ts";
import { endpointOf, foreign, inputOf, type LinkSketch, networkOf, ours, ruleOf } from "../policy/world.ts";
import { World } from "./fakes.ts";

/** Where nothing stands in the way of an addition, more often than not. */
const start = fc.oneof(
  { arbitrary: fc.constant(networkOf({ eth0: {}, eth1: {}, wlan0: {}, wg0: {} })), weight: 3 },
  network,
);
const first = fc.oneof({ arbitrary: fc.constant([]), weight: 3 }, current);
const settings = fc.oneof({ arbitrary: fc.constant({ ...defaultConfig, paths: [] }), weight: 2 }, config);
const plain = fc.record({
  ...{ kind: fc.constant("address" as const), index: ifIndex },
  sketch: address.map((sketch) => ({ ...sketch, flags: [] })),
});

describe("the lane for additions", () => {
  it("says what the policy and the plan would, whatever happened before, or nothing", (t) => {
    let additions = 0;
    const step = fc.record({
      change: fc.oneof({ arbitrary: plain, weight: 2 }, change),
      wanted: fc.nat(4),
    });
    const sequence = fc.array(step, { minLength: 4, maxLength: 12 });
    const formerIds = fc.array(fc.nat(9));
    fc.assert(
      fc.property(
        start,
        settings,
        wishes,
        first,
        fc.integer({ min: 1, max: 9 }),
        formerIds,
        sequence,
        (start, config, wishes, first, capacity, formerIds, steps) => {
          const model = new NetworkModel();
          model.replace(start);
          const formerId = (text: string) => formerIds[text.length % 5];
          const lane = new AdditionLane(formerId);
          let current: readonly CurrentEndpoint[] = first.map(({ ours, ...endpoint }, index) => ({
            endpoint: endpointOf({ ...endpoint, id: index + 1 }),
            ours,
          }));
          for (const { change, wanted: which } of steps) {
            apply(model, change);
            const wanted = wishes[which] ?? everyAddress;
            const full = fullPlan(model.network, { config, current, wanted, capacity, formerId });
            const quick = lane.take(hostAddresses(model.network, config), wanted);
            if (quick !== undefined) {
              assert.deepEqual(full.steps, [{ ...quick, replaces: undefined }]);
              additions++;
            }
            current = after(current, full.steps);
            const rest = { hosts: hostAddresses(model.network, config), current };
            lane.open(rest, { decisions: full.decisions, wanted, capacity });
          }
        },
      ),
      { numRuns: rounds(500, 20_000) },
    );
    t.diagnostic(`${additions} additions`);
    assert.ok(additions > 20, "hardly any addition took the lane, so hardly anything was tested");
  });

  const eth0 = { addresses: ["10.0.0.1"] };
  const temporary = { address: "2001:db8::9", flags: ["temporary"] as const };

  it("takes a further address", () => assert.equal(takes({}), true));

  const cases: Readonly<Record<string, Partial<Case>>> = {
    "an address that another interface has": { link: 3, text: "10.0.0.1" },
    "an address of an unknown interface": { link: 9 },
    "an address that cannot be used": { text: "169.254.7.7" },
    "an address with a [path] section": { config: { ...defaultConfig, paths: [ruleOf({ name: "all" })] } },
    "an address for which there is no slot": { capacity: 1 },
    "an address beside a temporary one": { sketches: { eth0: { addresses: ["10.0.0.1", temporary] } } },
    "everything, if a path manager decides": { wanted: { by: "mine", endpoints: [] } },
    "everything beside endpoints of others": { others: foreign(endpointOf({ id: 9, address: "10.9.0.1" })) },
    "everything beside an endpoint that is held": {
      others: ours(endpointOf({ id: 9, address: "10.9.0.1" })),
    },
  };
  for (const [what, changes] of Object.entries(cases))
    it(`leaves ${what} to the policy`, () => assert.equal(takes(changes), false));

  it("makes the endpoint at once, and a whole run follows", async (t) => {
    const world = new World(t);
    const model = new NetworkModel();
    model.replace(networkOf({ eth0 }));
    const become = async (): Promise<void> => {
      world.network = model.network;
      world.reconciler.trigger();
      await world.reconciler.settled();
    };
    await become();
    world.commands();
    model.apply({ change: "new", address: addressOf("10.0.0.2", 2) });
    await become();
    assert.deepEqual(world.commands(), ["add 10.0.0.2"]);
    assert.equal(world.decisions.length, 1);
    await world.advance(100);
    assert.deepEqual(world.commands(), []);
    assert.equal(world.decisions.length, 2);
  });
});

interface Case {
  readonly sketches: Readonly<Record<string, LinkSketch>>;
  readonly config: Config;
  readonly others: readonly CurrentEndpoint[];
  readonly wanted: Wanted;
  readonly capacity: number;
  readonly text: string;
  readonly link: number;
}

/** Whether an address takes the lane that comes after all that is there has an endpoint. */
function takes(changes: Partial<Case>): boolean {
  const {
    sketches = { eth0: { addresses: ["10.0.0.1"] }, eth1: {} },
    config = { ...defaultConfig, paths: [] },
    others = [],
    wanted = everyAddress,
    capacity = 8,
    text = "10.0.0.2",
    link = 2,
  } = changes;
  const model = new NetworkModel();
  model.replace(networkOf(sketches));
  const formerId = () => undefined;
  const settings = { config, wanted, capacity, formerId };
  const { steps, decisions } = fullPlan(model.network, { ...settings, current: others });
  const current = after(others, steps);
  const lane = new AdditionLane(formerId);
  lane.open({ hosts: hostAddresses(model.network, config), current }, { decisions, wanted, capacity });
  model.apply({ change: "new", address: addressOf(text, link) });
  return lane.take(hostAddresses(model.network, config), wanted) !== undefined;
}

function fullPlan(
  network: Network,
  {
    formerId,
    ...settings
  }: Pick<Case, "config" | "wanted" | "capacity"> & {
    readonly current: readonly CurrentEndpoint[];
    readonly formerId: (address: string) => number | undefined;
  },
) {
  const decisions = decide(inputOf(network, settings));
  return { decisions, steps: plan({ ...settings, decisions, formerId, droppedFlags: [] }) };
}

/** The endpoints after the steps of a plan. */
function after(current: readonly CurrentEndpoint[], steps: readonly Step[]): readonly CurrentEndpoint[] {
  let now = [...current];
  for (const step of steps) {
    const { kind, endpoint } = step;
    if (kind !== "add") now = now.filter((one) => one.endpoint !== endpoint);
    if (kind === "add") now.push({ endpoint, ours: true });
    if (kind === "change") now.push({ endpoint: { ...endpoint, flags: step.flags }, ours: true });
  }
  return now;
}

function addressOf(text: string, ifIndex: number): Address {
  const [made] = networkOf({ made: { addresses: [text] } }).addresses;
  assert.ok(made);
  return { ...made, ifIndex };
}
