import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { type BootedSystem, bootedSystem, bootedSystemProblem } from "../lab/booted-system.ts";
import { installMptcpd } from "../lab/installation.ts";
import { plugin } from "../lab/plugin-directory.ts";
import { addPeer, connect, hangUp, subflowsAt } from "./peer-namespace.ts";
import {
  configure,
  dropIn,
  endpoints,
  logged,
  mainPid,
  property,
  reset,
  start,
  unit,
  waitForRestart,
} from "./service.ts";
import { write } from "./units.ts";

const plugins = "/usr/lib/mptcpd/plugins";

/** A path manager that announces an address where nobody listens. */
const announcing = plugin(
  "announcing",
  `async connectionEstablished(connection) {
      try {
        await pm.announce(connection, { address: "10.2.0.1", port: 7777, listen: true });
        pm.log.info("announced");
      } catch (error) {
        pm.log.warning(error.message);
      }
    }`,
);

/** One in JavaScript that runs as a program: what it runs on has a compiler, as Node itself. */
const program = `#!/usr/lib/mptcpd/node
process.stdin.setEncoding("utf8").on("data", (text) => {
  for (const line of text.split("\\n").filter(Boolean)) {
    const { event, connection } = JSON.parse(line);
    if (event === "connectionEstablished" && connection.serverSide === false)
      console.log(JSON.stringify({ command: "createSubflow", request: 1, token: connection.token, from: "10.2.0.1" }));
  }
});
`;

describe("path managers under mptcp.service", { skip: await bootedSystemProblem() }, () => {
  let system: BootedSystem;
  before(async () => {
    system = await bootedSystem();
    await installMptcpd(system);
    await addPeer(system);
  });
  beforeEach(async () => {
    // All that lie there are loaded.
    await system.run("sh", "-c", `rm --force ${plugins}/*`);
    await reset(system);
  });
  afterEach(() => hangUp(system));
  after(() => system.close());

  it("have the kernel's userspace path manager, which comes back at the stop", async () => {
    await configure(system, "[core]\npath-manager=fullmesh\n");
    await start(system);
    assert.equal(await kernelsPathManager(), "1");
    await connect(system, "system");
    await subflowsAt(system, "10.1.0.1", "10.2.0.1");
    await system.run("systemctl", "stop", unit);
    assert.equal(await kernelsPathManager(), "0");
  });

  it("that are modules in TypeScript run in their thread", async () => {
    const text = plugin("mine", 'connectionEstablished: (one: unknown) => pm.log.info("told of one")');
    await write(system, { [`${plugins}/mine.ts`]: text });
    await configure(system, "[core]\nload-plugins=mine\npath-manager=mine\n");
    await start(system);
    await connect(system, "system");
    await logged(system, /mine: told of one/);
  });

  it("that are programs run, even such as compile what they run", async () => {
    await write(system, { [`${plugins}/program`]: program });
    await system.run("chmod", "755", `${plugins}/program`);
    const section = `[plugin program]\nexec=${plugins}/program\n`;
    await configure(system, `[core]\nload-plugins=program\npath-manager=program\n${section}`);
    await start(system);
    await connect(system, "system");
    await subflowsAt(system, "10.1.0.1", "10.2.0.1");
  });

  it("leave nothing behind that does not want to end, and do not hold up the stop", async () => {
    const stubborn = "#!/bin/sh\n(trap '' TERM; echo stubborn >&2; sleep 1000) &\nexec cat >/dev/null\n";
    await write(system, { [`${plugins}/stubborn`]: stubborn });
    await system.run("chmod", "755", `${plugins}/stubborn`);
    await configure(system, `[core]\nload-plugins=stubborn\n[plugin stubborn]\nexec=${plugins}/stubborn\n`);
    await start(system);
    await logged(system, /stubborn: stubborn/);
    await system.run("systemctl", "stop", unit);
    // Otherwise "timeout".
    assert.equal(await property(system, "Result"), "success");
  });

  it("of the kernel are joined at the port of an endpoint", async () => {
    await configure(
      system,
      "[path port]\nmatch-interface=up2\nflags=signal\nport=8443\n[path rest]\nignore=yes\n",
    );
    await start(system);
    assert.match((await endpoints(system)).join(), /10\.2\.0\.1 port 8443 /);
    await connect(system, "peer");
    await subflowsAt(system, "10.1.0.1", "10.2.0.1");
  });

  it("may not listen for joins, are told so, and may with a drop-in", async () => {
    await write(system, { [`${plugins}/announcing.js`]: announcing });
    await configure(system, "[core]\nload-plugins=announcing\npath-manager=announcing\n");
    await start(system);
    await connect(system, "peer");
    await logged(system, /announcing: cannot listen on 10\.2\.0\.1 port 7777 .*EAFNOSUPPORT/);
    await hangUp(system);

    await dropIn(system, "RestrictAddressFamilies=AF_INET AF_INET6");
    await system.run("systemctl", "restart", unit);
    await connect(system, "peer");
    await logged(system, /announcing: announced/);
    await subflowsAt(system, "10.1.0.1", "10.2.0.1");
  });

  it("that were in charge when mptcpd was killed are in charge again", async () => {
    await configure(system, "[core]\npath-manager=fullmesh\n");
    await start(system);
    const pid = await mainPid(system);
    await system.run("kill", "-KILL", pid);
    await waitForRestart(system, pid);
    assert.equal(await kernelsPathManager(), "1");
    await system.run("systemctl", "stop", unit);
    assert.equal(await kernelsPathManager(), "0");
  });

  /** 0 kernel, 1 userspace. Newer kernels know it by a name as well. */
  async function kernelsPathManager(): Promise<string> {
    return (await system.run("sysctl", "--values", "net.mptcp.pm_type")).trim();
  }
});
