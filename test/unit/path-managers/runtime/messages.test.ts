import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unsafe } from "../../../../src/base/text.ts";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { NetlinkError } from "../../../../src/kernel/netlink/errors.ts";
import { EndpointRequests, packError } from "../../../../src/path-managers/runtime/endpoint-commands.ts";
import {
  MessageError,
  type PackedCommand,
  type PostedByThread,
  packWanted,
  readFromThread,
  readToThread,
} from "../../../../src/path-managers/runtime/messages.ts";
import { prepared } from "./fake-thread.ts";

const wish = { address: "10.0.0.1", ifIndex: 2, flags: endpointFlags.of("subflow"), port: 0, priority: -1.5 };

describe("what the thread of the path managers posts", () => {
  it("is read as it was posted", () => {
    const messages: PostedByThread[] = [
      { kind: "log", level: "notice", message: "m", fields: { PLUGIN: "one", ERRNO: 1 } },
      { kind: "loaded", pathManagers: [{ name: "one", file: "/one.js" }] },
      prepared,
      { kind: "refused", errors: ["no"] },
      { kind: "running", failed: [] },
      { kind: "fault", pathManager: "one", count: 1 },
      { kind: "endpoints", request: 1, command: { kind: "flush" } },
      { kind: "stopped" },
    ];
    for (const message of messages) assert.deepEqual(readFromThread(structuredClone(message)), message);
  });

  it("has flags again where it has their numbers", () => {
    const wanted = { by: "one", endpoints: [wish] };
    const message = readFromThread(structuredClone({ kind: "wanted", wanted: packWanted(wanted) }));
    assert.deepEqual(message, { kind: "wanted", wanted });
  });

  it("has every command for endpoints, whatever of it was left out", async () => {
    const flags = endpointFlags.of("signal");
    const read = commandsOf((requests) => {
      void requests.addEndpoint({ address: "fd00::1", flags });
      void requests.addEndpoint({ address: "10.0.0.1", flags, id: 255, port: 0xffff, ifIndex: 7 });
      const loose = { address: "10.0.0.1", flags };
      // JavaScript may say of a property that it has none.
      Reflect.set(loose, "id", undefined);
      void requests.addEndpoint(loose);
      void requests.changeEndpoint({ id: 0, flags });
      void requests.removeEndpoint(3);
      void requests.renewEndpoint("10.0.0.1");
      void requests.flushEndpoints();
    });
    assert.deepEqual(read, [
      { kind: "add", endpoint: { address: "fd00::1", flags } },
      { kind: "add", endpoint: { address: "10.0.0.1", flags, id: 255, port: 0xffff, ifIndex: 7 } },
      { kind: "add", endpoint: { address: "10.0.0.1", flags } },
      { kind: "change", id: 0, flags },
      { kind: "remove", id: 3 },
      { kind: "renew", address: "10.0.0.1" },
      { kind: "flush" },
    ]);
  });

  const packed = packWanted({ by: "one", endpoints: [wish] });
  const [endpoint] = packed.endpoints;
  const wanting = (more: object) => ({
    kind: "wanted",
    wanted: { by: "one", endpoints: [endpoint, { ...endpoint, ...more }] },
  });
  const log = { kind: "log", level: "info", message: "m", fields: {} };
  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ["is no object", "words", /^Invalid type: Expected Object but received "words"$/],
    ["is nothing", null, /^Invalid type: Expected Object but received null$/],
    ["has a kind that there is not", { kind: "own" }, /^kind: Invalid type: .* but received "own"$/],
    [
      "has a level that is none, such as a method of every object",
      { ...log, level: "constructor" },
      /^log: level: Invalid type: .* but received "constructor"$/,
    ],
    ["has something else than a text in a field", { ...log, fields: { A: {} } }, /^log: fields\.A: /],
    ["has a list that is none", { kind: "refused", errors: "no" }, /^refused: errors: /],
    ["counts faults in parts", { kind: "fault", pathManager: "one", count: 0.5 }, /^fault: count: /],
    [
      "wants an address that is none",
      wanting({ address: "eth0" }),
      /^wanted: wanted\.endpoints\.1\.address: is not an IP address$/,
    ],
    [
      "wants a port that there is not",
      wanting({ port: 70_000 }),
      /^wanted: wanted\.endpoints\.1\.port: Invalid value: Expected <=65535 but received 70000$/,
    ],
    ["wants flags by name", wanting({ flags: ["signal"] }), /^wanted: wanted\.endpoints\.1\.flags: /],
    [
      "gives a command that there is not",
      { kind: "endpoints", request: 1, command: { kind: "destroy" } },
      /^endpoints: command\.kind: /,
    ],
    [
      "gives a command for an id that there is not",
      { kind: "endpoints", request: 1, command: { kind: "remove", id: 256 } },
      /^endpoints: command\.id: /,
    ],
  ];
  for (const [what, message, error] of wrong)
    it(`is refused where it ${what}`, () => {
      assert.throws(() => readFromThread(message), isMessageError(error));
    });

  it("is refused in one line of some length, whatever it quotes", () => {
    const message = { ...log, level: `a\nb\u001b[31m${"x".repeat(100_000)}` };
    assert.throws(
      () => readFromThread(message),
      ({ message }: Error) => {
        assert.ok(message.length < 310);
        assert.doesNotMatch(message, unsafe);
        return true;
      },
    );
  });
});

describe("what the daemon tells the thread", () => {
  it("is read as it was told", () => {
    const error = packError(new NetlinkError("EPERM", "no"));
    for (const message of [
      { kind: "takeOver", withoutGap: true },
      { kind: "answer", request: 1, error: undefined },
      { kind: "answer", request: 2, error },
      { kind: "stop" },
    ])
      assert.deepEqual(readToThread(structuredClone(message)), message);
  });

  it("is refused where it makes no sense", () => {
    assert.throws(() => readToThread({ kind: "answer", request: 0 }), isMessageError(/^answer: request: /));
  });
});

/** What the daemon reads of the commands that are given. */
function commandsOf(give: (requests: EndpointRequests) => void) {
  const none = async () => undefined;
  const kernel = {
    ...{ dumpEndpoints: async () => [], getEndpoint: none, setLimits: none },
    getLimits: async () => ({ subflows: 0, addAddrAccepted: 0 }),
  };
  const commands: [number, PackedCommand][] = [];
  give(new EndpointRequests(kernel, (request, command) => void commands.push([request, command])));
  return commands.map(([request, command]) => {
    const message = readFromThread(structuredClone({ kind: "endpoints", request, command }));
    assert.ok(message.kind === "endpoints");
    return message.command;
  });
}

function isMessageError(text: RegExp) {
  return (error: unknown) => error instanceof MessageError && text.test(error.message);
}
