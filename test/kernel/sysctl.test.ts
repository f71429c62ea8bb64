import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { inHost } from "./in-host.ts";

const imports = { Sysctls: "kernel/sysctl" };

describe("the kernel's sysctls", { skip: requires() }, () => {
  it("are read as they are", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await host.sysctl("net.mptcp.add_addr_timeout", 77);
    await host.sysctl("net.mptcp.checksum_enabled", 1);
    const body = `
      const sysctls = new Sysctls();
      say([sysctls.hasMptcp, ...["enabled", "add_addr_timeout", "checksum_enabled", "scheduler"].map((name) => sysctls.mptcp(name)),
        sysctls.pathManager(), sysctls.reversePathFilter("lo"), sysctls.reversePathFilter("eth9") ?? "none"]);`;
    assert.deepEqual(await inHost(host, imports, body), [
      true,
      true,
      77,
      true,
      "default",
      "kernel",
      0,
      "none",
    ]);
  });

  it("are set, in this namespace only", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const other = await lab.host("two");
    const body = `
      const sysctls = new Sysctls();
      sysctls.setMptcp("enabled", false);
      sysctls.setReversePathFilter("lo", 2);
      say([sysctls.mptcp("enabled"), sysctls.reversePathFilter("lo")]);`;
    assert.deepEqual(await inHost(host, imports, body), [false, 2]);
    assert.equal(await host.sysctl("net.mptcp.enabled"), "0");
    assert.equal(await host.sysctl("net.ipv4.conf.lo.rp_filter"), "2");
    assert.equal(await other.sysctl("net.mptcp.enabled"), "1");
    assert.equal(await other.sysctl("net.ipv4.conf.lo.rp_filter"), "0");
  });

  it("say by name which one the kernel does not take", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    const wrong = `
      try { new Sysctls().setMptcp("scheduler", "nosuch"); say("none"); }
      catch (error) { say({ name: error.name, code: error.code, sysctl: error.sysctl }); }`;
    assert.deepEqual(await inHost(host, imports, wrong), {
      name: "SysctlError",
      code: "ENOENT",
      sysctl: "net.mptcp.scheduler",
    });
  });
});
