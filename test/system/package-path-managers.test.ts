import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { builtIn } from "../../src/path-managers/built-in/index.ts";
import { plugin } from "../lab/plugin-directory.ts";
import type { SystemdLab } from "../lab/systemd.ts";
import { bootInstalled, installedPackageProblem } from "./installed-package.ts";
import { addPeer, connect, hangUp, subflows, subflowsAt } from "./peer-namespace.ts";
import { configure, logged, mainPid, reset, start } from "./service.ts";
import { write } from "./units.ts";

const plugins = "/usr/lib/mptcpd/plugins";
const [first, second] = ["10.1.0.1", "10.2.0.1"];

/** A path manager in TypeScript, with types that have to be taken out. */
const module = plugin(
  "mine",
  `async connectionEstablished(connection: import("mptcpd").Connection): Promise<void> {
    await pm.createSubflow(connection, { from: "${second}" satisfies string });
  }`,
);

/** One in the shell, which answers the first connection with a command. */
const program = `#!/bin/sh
while read -r line; do
  case $line in
  *'"event":"connectionEstablished"'*)
    token=$(printf %s "$line" | sed 's/.*"token":"\\([0-9a-f]*\\)".*/\\1/')
    printf '{"command":"createSubflow","request":1,"token":"%s","from":"${second}"}\\n' "$token"
    ;;
  esac
done
`;

describe("the installed package runs path managers", { skip: await installedPackageProblem() }, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await bootInstalled(addPeer);
  });
  beforeEach(async () => {
    await hangUp(lab);
    await lab.run("sh", "-c", `rm --force ${plugins}/*`);
    await reset(lab);
  });
  after(() => lab.close());

  /** Starts the service with a configuration, and opens a connection from this host. */
  async function connected(config: string): Promise<void> {
    await configure(lab, config);
    await start(lab);
    assert.equal(
      (await lab.run("readlink", `/proc/${await mainPid(lab)}/exe`)).trim(),
      "/usr/lib/mptcpd/node",
      "its own Node",
    );
    await connect(lab, "system");
  }

  const uses: Readonly<Record<string, () => Promise<unknown>>> = {
    async addr_adv() {
      await connected("");
      await subflowsAt(lab, first, second);
    },
    async sspi() {
      await connected("[core]\npath-manager=sspi\n");
      await subflowsAt(lab, first, second);
    },
    async fullmesh() {
      await connected("[core]\npath-manager=fullmesh\n");
      await subflowsAt(lab, first, second);
    },
    async ndiffports() {
      await connected("[core]\npath-manager=ndiffports\n[plugin ndiffports]\nsubflows=3\n");
      await subflowsAt(lab, first, first, first);
    },
    async heal() {
      await connected("[core]\npath-manager=fullmesh,heal\n[plugin heal]\ndelay=0.1\n");
      await subflowsAt(lab, first, second);
      await lab.run("ip", "netns", "exec", "peer", "ss", "--kill", "--tcp", "dst", second);
      await subflowsAt(lab, first, second);
      await logged(lab, /^heal: /);
    },
    async backup() {
      await connected("[core]\npath-manager=backup\n[plugin backup]\ninterfaces=up1\n");
      await subflowsAt(lab, first, second);
      const flags = async (): Promise<readonly string[]> => {
        const [connection]: { subflows: { local: { address: string }; localBackup?: boolean }[] }[] =
          JSON.parse(await lab.run("mptcpctl", "-j", "connections"));
        return (connection?.subflows ?? [])
          .map(({ local, localBackup = false }) => `${local.address} ${localBackup}`)
          .sort();
      };
      await waitFor("the second to be backup", flags, {
        until: (found) => found.join() === `${first} false,${second} true`,
      });
    },
  };

  it("that are built in, all of them", () => {
    assert.deepEqual(Object.keys(uses).sort(), [...builtIn.keys()].sort());
  });
  for (const [name, use] of Object.entries(uses)) it(`as ${name}`, async () => void (await use()));

  it("as a module in TypeScript", async () => {
    await write(lab, { [`${plugins}/mine.ts`]: module });
    await connected("[core]\nload-plugins=mine\npath-manager=mine\n");
    await subflowsAt(lab, first, second);
  });

  it("as a program", async () => {
    await write(lab, { [`${plugins}/program`]: program });
    await lab.run("chmod", "755", `${plugins}/program`);
    await connected(
      `[core]\nload-plugins=program\npath-manager=program\n[plugin program]\nexec=${plugins}/program\n`,
    );
    await subflowsAt(lab, first, second);
  });

  it("beside which a connection has one subflow where there is none", async () => {
    await configure(lab, "[core]\npath-manager=mine\n");
    await write(lab, { [`${plugins}/mine.ts`]: plugin("mine", "") });
    await start(lab);
    await connect(lab, "system");
    assert.deepEqual(await subflows(lab), [first]);
  });
});
