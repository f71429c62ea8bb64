import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Plan } from "../../../src/services/drop-in.ts";
import { Properties } from "../../../src/services/systemd/systemctl.ts";
import { type Snapshot, verify } from "../../../src/services/verification.ts";
import { environmentFile, launcher, refusal } from "./facts.ts";

const path = "/etc/systemd/system/web.service.d/50-mptcpize.conf";

const preload: Plan = {
  way: "preload",
  section: "Service",
  lines: ["Environment=LD_PRELOAD=%h/50%%.so:/lib/w.so"],
  notes: [],
};

function snapshot(environment: readonly string[], values: Readonly<Record<string, readonly string[]>> = {}) {
  return {
    environment,
    properties: new Properties(
      new Map(Object.entries({ LoadState: ["loaded"], DropInPaths: [`/lib/10.conf ${path}`], ...values })),
    ),
  };
}

const before = snapshot(["A=1", "LD_PRELOAD=/root/50%.so"], { DropInPaths: ["/lib/10.conf"] });
const good = ["A=1", "LD_PRELOAD=/root/50%.so:/lib/w.so"];

function check(after: Snapshot, plan: Plan = preload) {
  verify("web.service", before, after, { path, plan });
}

describe("reading back what systemd made of a drop-in", () => {
  it("is content with the same environment plus ours, specifiers expanded", () => {
    check(snapshot(good));
    check(snapshot(good.toReversed()));
  });

  it("finds that a variable of the user's is gone", () => {
    assert.throws(() => check(snapshot(good.slice(1))), refusal("web.service", path, "lose Environment=A=1"));
  });

  it("finds that ours is not there, or is another's", () => {
    assert.throws(() => check(snapshot(["A=1"])), refusal("LD_PRELOAD"));
    assert.throws(() => check(snapshot(["A=1", "LD_PRELOAD=/root/50%.so"])), refusal("LD_PRELOAD"));
  });

  it("finds that systemd does not read the file, or cannot load the unit any more", () => {
    assert.throws(() => check(snapshot(good, { DropInPaths: ["/lib/10.conf"] })), refusal("does not read"));
    assert.throws(() => check(snapshot(good, { LoadState: ["bad-setting"] })), refusal("bad-setting"));
  });

  it("finds that environment files are gone, and knows ours", () => {
    const ours = `${environmentFile} (ignore_errors=no)`;
    check(snapshot(good, { EnvironmentFiles: [ours] }));
    assert.throws(
      () => check(snapshot(good, { EnvironmentFiles: ["/x (ignore_errors=no)", ours] })),
      refusal("files"),
    );
    const plan: Plan = { ...preload, environmentFile: "LD_PRELOAD=/lib/w.so\n" };
    check(snapshot(good, { EnvironmentFiles: [ours] }), plan);
    assert.throws(() => check(snapshot(good), plan), refusal(environmentFile));
  });

  it("finds that something is started without the launcher", () => {
    const plan: Plan = { way: "seccomp", launcher, section: "Service", lines: [], notes: [] };
    const ours = `{ path=${launcher} ; argv[]=${launcher} run -- /bin/a ; … }`;
    check(snapshot(good, { ExecStart: [ours, ours] }), plan);
    assert.throws(
      () => check(snapshot(good, { ExecStart: [ours, "{ path=/bin/a ; … }"] }), plan),
      refusal("/bin/a"),
    );
  });
});
