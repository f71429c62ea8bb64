import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { SysctlError, Sysctls } from "../../../src/kernel/sysctl.ts";

describe("sysctls", () => {
  let root = "";
  const put = (name: string, text: string) => writeFileSync(join(root, name), text);
  const take = (name: string) => readFileSync(join(root, name), "utf8");

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "sysctl-"));
    mkdirSync(join(root, "net/mptcp"), { recursive: true });
    mkdirSync(join(root, "net/ipv4/conf/eth0.100"), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it("have the type of their values", () => {
    put("net/mptcp/enabled", "1\n");
    put("net/mptcp/checksum_enabled", "0\n");
    put("net/mptcp/add_addr_timeout", "120\n");
    put("net/mptcp/scheduler", "default\n");
    put("net/mptcp/available_path_managers", "kernel userspace \n");
    const sysctls = new Sysctls(root);
    assert.equal(sysctls.mptcp("enabled"), true);
    assert.equal(sysctls.mptcp("checksum_enabled"), false);
    assert.equal(sysctls.mptcp("add_addr_timeout"), 120);
    assert.equal(sysctls.mptcp("scheduler"), "default");
    assert.deepEqual(sysctls.mptcp("available_path_managers"), ["kernel", "userspace"]);
  });

  it("are undefined where the kernel does not have them", () => {
    const sysctls = new Sysctls(root);
    assert.equal(sysctls.mptcp("close_timeout"), undefined);
    assert.equal(sysctls.pathManager(), undefined);
    assert.equal(sysctls.hasMptcp, false);
    assert.equal(sysctls.reversePathFilter("eth9"), undefined);
  });

  it("are written as the kernel reads them", () => {
    const sysctls = new Sysctls(root);
    for (const name of ["enabled", "add_addr_timeout", "path_manager"]) put(`net/mptcp/${name}`, "");
    sysctls.setMptcp("enabled", false);
    sysctls.setMptcp("add_addr_timeout", 7);
    sysctls.setMptcp("path_manager", "userspace");
    assert.equal(take("net/mptcp/enabled"), "0");
    assert.equal(take("net/mptcp/add_addr_timeout"), "7");
    assert.equal(take("net/mptcp/path_manager"), "userspace");
  });

  it("name the path manager also where the kernel numbers it", () => {
    const sysctls = new Sysctls(root);
    put("net/mptcp/pm_type", "1\n");
    assert.equal(sysctls.pathManager(), "userspace");
    put("net/mptcp/pm_type", "9\n");
    assert.equal(sysctls.pathManager(), "9");
    put("net/mptcp/path_manager", "bpf\n");
    assert.equal(sysctls.pathManager(), "bpf");
  });

  it("find an interface whose name has a dot", () => {
    put("net/ipv4/conf/eth0.100/rp_filter", "2\n");
    const sysctls = new Sysctls(root);
    assert.equal(sysctls.reversePathFilter("eth0.100"), 2);
    sysctls.setReversePathFilter("eth0.100", 0);
    assert.equal(sysctls.reversePathFilter("eth0.100"), 0);
  });

  it("do not leave their directory, whatever the interface is called", () => {
    put("net/ipv4/rp_filter", "1\n");
    const sysctls = new Sysctls(root);
    for (const name of ["..", ".", "", "../conf/eth0.100"])
      assert.equal(sysctls.reversePathFilter(name), undefined);
  });

  it("fail with the system's code and their own name", () => {
    const sysctls = new Sysctls(root);
    assert.throws(
      () => sysctls.setMptcp("close_timeout", 1),
      (error) =>
        error instanceof SysctlError &&
        error.code === "ENOENT" &&
        error.sysctl === "net.mptcp.close_timeout" &&
        error.message === "cannot set net.mptcp.close_timeout: this kernel does not have it",
    );
    mkdirSync(join(root, "net/mptcp/scheduler"));
    assert.throws(() => sysctls.mptcp("scheduler"), { code: "EISDIR", sysctl: "net.mptcp.scheduler" });
  });
});
