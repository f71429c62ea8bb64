import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { run } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { startTraffic } from "../../src/lab/kit/traffic.ts";
import { within } from "../../src/lab/kit/wait.ts";
import { ctl, monitorsListen, outcome, program, refuses, words } from "../lab/mptcpctl.ts";
import { inHost } from "./in-host.ts";

describe("mptcpctl", { skip: requires() }, () => {
  it("gives the kernel's words and exit status 1 when the kernel refuses", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await ctl(host, "endpoint add 192.0.2.1");
    await refuses(
      host,
      "endpoint add 192.0.2.1",
      1,
      /cannot add endpoint 192\.0\.2\.1: .*duplicate.* \(EEXIST\)/,
    );
    await refuses(host, "endpoint delete id 9", 1, "cannot delete endpoint id 9: address not found (EINVAL)");
    await refuses(host, "limits set subflows 1000000", 1, /limit greater than maximum \(\d+\) \(EINVAL\)/);
    await refuses(host, "endpoint add 192.0.2.2 dev eth9", 1, /there is no interface eth9 \(ENODEV\)/);
    await refuses(
      host,
      "endpoint show 192.0.2.9",
      1,
      "cannot show endpoint 192.0.2.9: there is none (ENOENT)",
    );
    await refuses(host, "endpoint show token 1", 1, /cannot list addresses of connection 00000001: /);
  });

  it("gives what is allowed and exit status 2 when it does not understand", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await refuses(
      host,
      "endpoint foo",
      2,
      'endpoint: "foo" is not understood; allowed: add, change, delete, show, flush',
    );
    await refuses(
      host,
      "limits set foo",
      2,
      'limits set: "foo" is not understood; allowed: subflows NR, add_addr_accepted NR',
    );
    await refuses(
      host,
      "",
      2,
      /a command is missing; allowed: endpoint, limits, monitor, explain, adopt, connections, /,
    );
  });

  it("explains what privilege it lacks, and shows what needs none", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await host.ip("mptcp endpoint add 192.0.2.1");
    const unprivileged = (line: string) =>
      outcome(
        host.run("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", program, ...words(line)),
      );
    for (const line of ["endpoint flush", "endpoint add 192.0.2.2", "limits set subflows 3", "monitor"]) {
      const { code, stderr } = await unprivileged(line);
      assert.equal(code, 1, line);
      assert.match(
        stderr,
        /^mptcpctl: cannot .+: operation not permitted \(EPERM\); it takes CAP_NET_ADMIN .+\n$/,
      );
    }
    assert.equal((await unprivileged("endpoint")).stdout, "192.0.2.1 id 1 \n");
    assert.match((await unprivileged("limits")).stdout, /^add_addr_accepted/);
  });

  it("finds endpoints by address, which the kernel does not", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await host.ip("mptcp endpoint add 192.0.2.1 subflow");
    await host.ip("mptcp endpoint add 2001:db8::1 signal");
    assert.equal(await ctl(host, "endpoint show 2001:DB8:0::1"), "2001:db8::1 id 2 signal \n");
  });

  it("calls a deleted interface as ip does", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    await host.ip("link add v0 type veth peer name v1");
    await host.ip("mptcp endpoint add 192.0.2.1 dev v0");
    await host.ip("link delete v0");
    for (const options of ["", "-j "])
      assert.equal(await ctl(host, `${options}endpoint`), await host.ip(`${options}mptcp endpoint`));
  });

  it("works in another network namespace, by its name or its path", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const other = await lab.host("two");
    await other.ip("mptcp endpoint add 192.0.2.77");
    for (const namespace of [other.namespace, other.path]) {
      assert.equal(await run(program, ["-n", namespace, "endpoint"]), "192.0.2.77 id 1 \n");
      assert.equal(await ctl(host, `endpoint show --netns=${namespace}`), "192.0.2.77 id 1 \n");
    }
    await run(program, ["-jn", other.namespace, "endpoint", "add", "192.0.2.78", "subflow"]);
    assert.deepEqual(await other.endpointAddresses(), ["192.0.2.77", "192.0.2.78"]);
    assert.deepEqual(await host.endpointAddresses(), []);
    await refuses(
      host,
      "-n nosuch endpoint",
      1,
      /cannot enter network namespace nosuch: there is no \/run\/netns\/nosuch/,
    );
    await refuses(host, "-n /proc/self/status endpoint", 1, /is not a network namespace$/m);
  });

  it("shows the addresses of a connection under the userspace path manager", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    await client.sysctl("net.mptcp.pm_type", 1);
    const monitor = client.spawn(program, ["monitor"]);
    await monitorsListen(client, 1);
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", rate: 100_000 });
    const [, token = ""] = await monitor.waitForLine(/ ESTABLISHED\] token=(\w+)/);
    const announce = `
      const pm = await MptcpPm.open();
      await pm.announce({ token: 0x${token}, address: "10.0.2.2", id: 9 });
      pm.close();
      say("done");`;
    await inHost(client, { MptcpPm: "kernel/mptcp-pm" }, announce);
    assert.equal(await ctl(client, `endpoint show token ${token}`), "10.0.2.2 id 9 signal \n");
    assert.equal(
      await ctl(client, `-j endpoint show id 9 token 0x${token}`),
      '[{"address":"10.0.2.2","id":9,"signal":true}]\n',
    );
    await refuses(
      client,
      `endpoint show id 8 token ${token}`,
      1,
      "cannot show endpoint id 8: there is none (ENOENT)",
    );
    await traffic.finish();
  });

  it("says that it listens, and ends monitor with status 0 by SIGINT and SIGTERM", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const monitor = host.spawn(program, ["monitor"]);
      await monitorsListen(host, 1);
      monitor.signal(signal);
      assert.deepEqual(await within("its end", monitor.exited), { code: 0, signal: null });
      assert.equal(monitor.output.trim(), "mptcpctl: listening for MPTCP events; Ctrl-C ends it");
    }
  });

  it("goes in peace when nobody reads it any more", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    const pipe = host.spawn("sh", ["-c", `timeout 20 "$1" monitor | head -n 1; echo closed`, "sh", program]);
    await monitorsListen(host, 1);
    const listen = `const { fd } = mptcpListen({ address: "127.0.0.1", port: 0 }); say(fd > 0);`;
    // Two events: the first is read, the second meets a closed pipe.
    await inHost(host, { mptcpListen: "kernel/native-sockets" }, listen);
    assert.deepEqual(await within("its end", pipe.exited), { code: 0, signal: null });
    const [event, last, ...more] = pipe.lines.filter((line) => !line.startsWith("mptcpctl: listening"));
    assert.match(event ?? "", /^\[LISTENER_CREATED\] saddr4=127\.0\.0\.1 sport=\d+$/);
    assert.deepEqual([last, ...more], ["closed"]);
  });

  it("goes on after events were lost, and says that they were", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    const monitor = host.spawn(program, ["monitor"]);
    await monitorsListen(host, 1);
    monitor.signal("SIGSTOP");
    const listen = `const { fd, port } = mptcpListen({ address: "127.0.0.1", port: 0 }); closeSync(fd);`;
    const imports = { mptcpListen: "kernel/native-sockets" };
    const close = `const { closeSync } = await import("node:fs");`;
    await inHost(host, imports, `${close} for (let i = 0; i < 30_000; i++) { ${listen} } say("done");`);
    monitor.signal("SIGCONT");
    await monitor.waitForLine(/^mptcpctl: events were lost/);
    const port = await inHost(host, imports, `${close} ${listen} say(port);`);
    await monitor.waitForLine(new RegExp(`LISTENER_CLOSED\\] .* sport=${port}$`), { deadlineMs: 20_000 });
    assert.deepEqual(await monitor.stop(), { code: 0, signal: null });
  });
});
