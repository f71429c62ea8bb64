import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import {
  families,
  type OptionSocket,
  protocols,
  withSocket,
} from "../../../src/kernel/bpf/option-answers.ts";

const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const EBADF = 9;
const EINVAL = 22;
const ENOPROTOOPT = 92;
const one = Uint8Array.of(1, 0, 0, 0);

describe("socket options as the kernel takes them", () => {
  it("are set and read, in the room that there is", () => {
    const read = withSocket(families.ipv4, protocols.tcp, (socket) => {
      assert.equal(socket.set(SOL_SOCKET, SO_KEEPALIVE, one), 0);
      return [64, 4, 2, 0].map((size) => socket.get(SOL_SOCKET, SO_KEEPALIVE, size));
    });
    assert.deepEqual(read, [one, one, one.subarray(0, 2), new Uint8Array(0)]);
  });

  it("are refused with the errno", () => {
    withSocket(families.ipv4, protocols.tcp, (socket) => {
      assert.equal(socket.set(SOL_SOCKET, SO_KEEPALIVE, new Uint8Array(0)), EINVAL);
      assert.equal(socket.set(SOL_SOCKET, 9999, one), ENOPROTOOPT);
      assert.equal(socket.get(SOL_SOCKET, 9999), ENOPROTOOPT);
    });
  });

  it("are those of a socket that is closed afterwards, also when something fails", () => {
    const files = readdirSync("/proc/self/fd");
    let kept: OptionSocket | undefined;
    withSocket(families.ipv4, protocols.tcp, (socket) => {
      kept = socket;
    });
    assert.equal(kept?.get(SOL_SOCKET, SO_KEEPALIVE), EBADF);
    assert.throws(() => withSocket(families.ipv4, protocols.tcp, () => assert.fail("this")), /this/);
    assert.throws(() => withSocket(9999, protocols.tcp, () => {}), { code: "EAFNOSUPPORT" });
    assert.deepEqual(readdirSync("/proc/self/fd"), files);
  });
});
