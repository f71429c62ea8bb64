import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, beforeEach, describe, it } from "node:test";
import { type BootedSystem, bootedSystem, bootedSystemProblem } from "../lab/booted-system.ts";
import { installMptcpd } from "../lab/installation.ts";
import {
  addUplink,
  endpointAddresses,
  endpoints,
  inNamespace,
  logged,
  mainPid,
  property,
  reset,
  unit,
} from "./service.ts";
import { write } from "./units.ts";

const blue = "mptcpd@blue.service";
const green = "mptcpd@green.service";

describe("mptcpd@.service", { skip: await bootedSystemProblem() }, () => {
  let system: BootedSystem;
  before(async () => {
    system = await bootedSystem();
    await installMptcpd(system);
    await addUplink(system, "up1", "10.1.0.1/24");
    for (const [name, address] of [
      ["blue", "10.3.0.1/24"],
      ["green", "10.4.0.1/24"],
    ] as const) {
      await system.run("ip", "netns", "add", name);
      await addUplink(system, "up1", address, name);
    }
  });
  beforeEach(async () => {
    await system.run("systemctl", "stop", blue, green);
    for (const each of [blue, green]) await system.run("systemctl", "clean", "--what=runtime", each);
    for (const name of ["blue", "green"])
      await system.run("ip", "-netns", name, "mptcp", "endpoint", "flush");
    await system.run("rm", "--recursive", "--force", "/etc/netns");
    await reset(system);
  });
  after(() => system.close());

  it("serves the network namespace that it is named by, and no other", async () => {
    await system.run("systemctl", "start", blue);
    assert.deepEqual(await endpointAddresses(system, "blue"), ["10.3.0.1"]);
    assert.deepEqual(await endpoints(system, "green"), []);
    assert.deepEqual(await endpoints(system), []);
  });

  it("runs beside others, each as a user of its own and with a directory of its own", async () => {
    await system.run("systemctl", "start", unit, blue, green);
    assert.deepEqual(await endpointAddresses(system), ["10.1.0.1"]);
    assert.deepEqual(await endpointAddresses(system, "blue"), ["10.3.0.1"]);
    assert.deepEqual(await endpointAddresses(system, "green"), ["10.4.0.1"]);
    for (const name of ["mptcpd", "mptcpd@blue", "mptcpd@green"])
      assert.ok(existsSync(system.path(`/run/private/${name}`)), name);
    const users = new Set<string>();
    for (const each of [unit, blue, green])
      users.add(await system.run("stat", "--format=%u", `/proc/${await mainPid(system, each)}`));
    assert.equal(users.size, 3, [...users].join());
    await system.run("systemctl", "stop", green);
    assert.deepEqual(await endpointAddresses(system, "green"), ["10.4.0.1"], "they stay");
    assert.equal(await property(system, "ActiveState", blue), "active");
  });

  it("has the configuration of the namespace where there is one, as in ip-netns(8)", async () => {
    await write(system, { "/etc/netns/blue/mptcpd/mptcpd.conf": "[core]\naddr-flags=subflow,backup\n" });
    await system.run("systemctl", "start", blue, green);
    assert.match((await endpoints(system, "blue")).join(), / subflow backup /);
    assert.match((await endpoints(system, "green")).join(), / subflow dev /);
    await write(system, { "/etc/netns/blue/mptcpd/mptcpd.conf": "[core]\naddr-flags=nonsense\n" });
    assert.notEqual((await system.outcome("systemctl", "reload", blue)).code, 0);
    await logged(system, /mptcpd\.conf:2: .*nonsense/, blue);
  });

  it("switches the kernel's path manager there, and nowhere else", async () => {
    await write(system, { "/etc/netns/blue/mptcpd/mptcpd.conf": "[core]\npath-manager=fullmesh\n" });
    await system.run("systemctl", "start", unit, blue);
    assert.deepEqual([await kernelsPathManager("blue"), await kernelsPathManager()], ["1", "0"]);
    await system.run("systemctl", "stop", blue);
    assert.deepEqual([await kernelsPathManager("blue"), await kernelsPathManager()], ["0", "0"]);
  });

  it("is refused for a namespace that does not exist, at once", async () => {
    const { code, stderr } = await system.outcome("systemctl", "start", "mptcpd@nowhere.service");
    assert.notEqual(code, 0);
    assert.match(stderr, /[Aa]ssertion/);
    assert.equal(await property(system, "ActiveState", "mptcpd@nowhere.service"), "inactive");
  });

  it("is explained by mptcpctl, which knows the endpoints for mptcpd's own", async () => {
    await system.run("systemctl", "start", blue);
    // What is not in a ledger that it finds would be somebody else's.
    const explained = await system.run("mptcpctl", "--netns", "blue", "explain");
    assert.match(explained, /^10\.3\.0\.1 +up1 +1 subflow +endpoint +usable$/m);
  });

  it("is explained to root alone, who alone may look into the runtime directory", async () => {
    await system.run("systemctl", "start", blue);
    const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const command = [...asNobody, "mptcpctl", "explain"];
    const { code, stdout, stderr } = await system.outcome("ip", "netns", "exec", "blue", ...command);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^mptcpctl: cannot tell which endpoints belong to mptcpd: .*; run it as root\n$/);
  });

  async function kernelsPathManager(namespace?: string): Promise<string> {
    const [command = "", ...args] = [...inNamespace(namespace), "sysctl", "--values", "net.mptcp.pm_type"];
    return (await system.run(command, ...args)).trim();
  }
});
