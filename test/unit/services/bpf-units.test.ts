import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCgroupOfUnit } from "../../../src/services/bpf-units.ts";

describe("the cgroup of a unit", () => {
  const cases: [directory: string, unit: string, isIts: boolean][] = [
    ["/sys/fs/cgroup/system.slice/foo.service", "foo.service", true],
    ["/sys/fs/cgroup/system.slice/foo.service", "oo.service", false],
    ["/sys/fs/cgroup/system.slice/foo.service/child", "foo.service", false],
    ["/sys/fs/cgroup/system.slice/_cpu.service", "cpu.service", true],
    ["/sys/fs/cgroup/system.slice/system-foo.slice/foo@a.service", "foo@a.service", true],
    ["/sys/fs/cgroup/system.slice/system-foo.slice/foo@a.service", "foo@b.service", false],
    ["/sys/fs/cgroup/system.slice/system-foo.slice/foo@a.service", "foo@.service", true],
    ["/sys/fs/cgroup/system.slice/foo.service", "foo@.service", false],
    ["/sys/fs/cgroup/system.slice/xfoo@a.service", "foo@.service", false],
  ];
  for (const [directory, unit, isIts] of cases)
    it(`of ${unit} ${isIts ? "is" : "is not"} ${directory}`, () => {
      assert.equal(isCgroupOfUnit(directory, unit), isIts);
    });
});
