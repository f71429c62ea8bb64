import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NetlinkConnection } from "../../../../src/kernel/netlink/connection.ts";
import { GenericFamily } from "../../../../src/kernel/netlink/generic.ts";
import { genericHeader, genericMessage } from "../../../../src/kernel/netlink/generic-message.ts";
import { controlMessage } from "../../../../src/kernel/netlink/messages.ts";
import { u8 } from "../../../../src/kernel/netlink/schema.ts";
import { ack, FakeKernel, refuse } from "../../../lab/fake-kernel.ts";

const ENOENT = 2;
const control = 16;
const family = { familyId: 30, familyName: "thing", familyVersion: 3, groups: [{ name: "things", id: 7 }] };
const kernel = new FakeKernel((request) => {
  if (request.type !== control) return [ack(request)];
  const { familyName } = controlMessage.decode(request);
  if (familyName !== "thing") return [refuse(request, ENOENT)];
  return [{ type: control, payload: controlMessage.encode({ command: 1, ...family }) }, ack(request)];
});
const thing = genericMessage({ id: u8(1) });

describe("GenericFamily", () => {
  const connection = NetlinkConnection.open({ protocol: 16, open: kernel.open });

  it("is found by its name, with its version and groups", async () => {
    const { name, id, version, groups } = await GenericFamily.resolve(connection, "thing");
    assert.deepEqual([name, id, version, [...groups]], ["thing", 30, 3, [["things", 7]]]);
  });

  it("that the kernel does not have is a FamilyNotFoundError", async () => {
    await assert.rejects(GenericFamily.resolve(connection, "nothing"), {
      name: "FamilyNotFoundError",
      code: "ENOENT",
      family: "nothing",
    });
  });

  it("sends commands with its number and version", async () => {
    const resolved = await GenericFamily.resolve(connection, "thing");
    await resolved.request("do it", thing, { command: 9, id: 4 });
    const request = kernel.requests.at(-1);
    assert.ok(request);
    assert.equal(request.type, 30);
    assert.deepEqual(thing.decode(request), { command: 9, version: 3, reserved: 0, id: 4 });
  });

  it("delivers the notifications of its groups, and has no others", async () => {
    const resolved = await GenericFamily.resolve(connection, "thing");
    const heard: number[] = [];
    resolved.subscribe("things", (message) => heard.push(genericHeader.decode(message).command));
    for (const type of [30, 31]) kernel.notify(7, { type, payload: thing.encode({ command: type, id: 1 }) });
    assert.deepEqual(heard, [30]);
    assert.throws(() => resolved.subscribe("others", () => undefined), { name: "FamilyNotFoundError" });
  });
});
