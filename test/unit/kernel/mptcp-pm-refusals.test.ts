import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { namedMaximum, type PmRefusal, refusalOf } from "../../../src/kernel/mptcp-pm-refusals.ts";
import { errnoOf, KernelError, NetlinkError } from "../../../src/kernel/netlink/errors.ts";

/** As Linux 6.1, 6.12, 6.18 say them. */
const words: Readonly<Record<PmRefusal, readonly (readonly [code: string, message?: string])[]>> = {
  "no-such-connection": [["EINVAL", "invalid token"]],
  "kernel-path-manager": [
    ["EINVAL", "invalid request; userspace PM not selected"],
    ["EINVAL", "userspace PM not selected"],
  ],
  "not-established": [["ENOTCONN"], ["ENOTCONN", "connect error: -107"]],
  "address-id-mismatch": [["EINVAL", "did not match address and id"]],
  "no-such-address-id": [
    ["EINVAL", "address with specified id not found"],
    ["EINVAL", "address with id 0 not found"],
    ["EINVAL", "address with id 17 not found"],
  ],
  "families-mismatch": [["EINVAL", "families mismatch"]],
  "no-such-subflow": [["ESRCH"], ["ESRCH", "subflow not found"]],
  "no-such-endpoint": [["EINVAL", "address not found"]],
  "no-slot": [["ERANGE", "too many addresses or duplicate one: -34"]],
  "address-taken": [["EEXIST", "too many addresses or duplicate one: -17"]],
  "id-taken": [["EBUSY", "too many addresses or duplicate one: -16"]],
  "no-slot-or-taken": [["EINVAL", "too many addresses or duplicate one"]],
  "limit-too-high": [
    ["EINVAL", "limit greater than maximum"],
    ["EINVAL", "limit greater than maximum (8)"],
  ],
};

function refused(code: string, message?: string): KernelError {
  return new KernelError("do something", errnoOf(code), { message });
}

describe("refusals of the kernel's path manager", () => {
  it("have names, whatever version of Linux says them", () => {
    for (const [refusal, answers] of Object.entries(words))
      for (const [code, message] of answers)
        assert.equal(refusalOf(refused(code, message)), refusal, `${code}: ${message}`);
  });

  it("have no name if nobody decides by them, nor without the words that EINVAL needs", () => {
    for (const error of [refused("EINVAL"), refused("EPERM"), refused("EINVAL", "invalid addr id or flags")])
      assert.equal(refusalOf(error), undefined, error.message);
  });

  it("are the kernel's only", () => {
    for (const error of [new NetlinkError("ESRCH", "invalid token"), new Error("invalid token"), undefined]) {
      assert.equal(refusalOf(error), undefined);
      assert.equal(namedMaximum(error), undefined);
    }
  });

  it("name the maximum of a limit, if the kernel does", () => {
    assert.equal(namedMaximum(refused("EINVAL", "limit greater than maximum (64)")), 64);
    assert.equal(namedMaximum(refused("EINVAL", "limit greater than maximum")), undefined);
  });
});
