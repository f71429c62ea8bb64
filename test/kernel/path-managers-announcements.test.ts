import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import type { Announcement } from "../../src/path-managers/api/index.ts";
import { families, type ManagedConnection, ManagedHost, sides } from "../lab/managed-host.ts";

for (const side of sides) {
  describe(`a path manager of the ${side} announces addresses:`, { skip: requires() }, () => {
    let managed: ManagedHost;
    before(async () => {
      managed = await ManagedHost.started(undefined, side);
      // An IPv6 address with a port fits into a packet only without timestamps (before Linux 7.2).
      await managed.machine.host.sysctl("net.ipv4.tcp_timestamps", 0);
    });
    after(() => managed.machine.lab.close());

    for (const family of families) {
      const address = family[side][1];

      describe(family.what, () => {
        it("with a listener of its own, at a port that is free, which the peer joins", async () => {
          const connection = await managed.connect(family);
          const made = await announce(managed, connection, address);
          assert.ok(made.port > 0);
          assert.deepEqual(await managed.here.ids(connection.token), [
            `${made.id} ${address} port ${made.port}`,
          ]);
          const [, joined] = await managed.puppet.told(
            "newSubflow",
            ([{ token }]) => token === connection.token,
          );
          assert.deepEqual(joined.local, { address, port: made.port });
          assert.equal(joined.localId, made.id);
          await managed.clientPeer.echo(connection.socket);
        });

        it("closes the listener when the address is withdrawn, which ends its subflows", async () => {
          const connection = await managed.connect(family);
          const { id, port } = await announce(managed, connection, address);
          await managed.puppet.told("newSubflow", ([{ token }]) => token === connection.token);
          await managed.puppet.with(
            connection.token,
            async (pm, record, given) => {
              await pm.withdraw(record, { id: given });
              const again = await pm.withdraw(record, { id: given }).catch((error) => error.code);
              if (again !== "EINVAL") throw new Error(`the second time: ${again}`);
            },
            id,
          );
          await noListener(managed, port);
          await managed.puppet.told("subflowClosed", ([{ token }]) => token === connection.token);
          assert.deepEqual(await managed.here.ids(connection.token), []);
          await managed.clientPeer.echo(connection.socket);
        });

        it("closes the listener when the connection ends", async () => {
          const connection = await managed.connect(family);
          const { port } = await announce(managed, connection, address);
          assert.ok((await listeners(managed)).includes(`:${port} `));
          await managed.clientPeer.close(connection.socket);
          await noListener(managed, port);
        });

        it("shares a listener among connections, until the last has withdrawn", async () => {
          const [first, second] = [await managed.connect(family), await managed.connect(family)];
          const made = await announce(managed, first, address);
          const { port } = made;
          const shared = await announce(managed, second, address, port);
          assert.equal(shared.port, port);
          await withdraw(managed, first, made);
          assert.ok((await listeners(managed)).includes(`:${port} `));
          await withdraw(managed, second, shared);
          await noListener(managed, port);
        });

        it("at the port of the connection, if none is given", async () => {
          const connection = await managed.connect(family);
          const made = await managed.puppet.with(
            connection.token,
            (pm, record, given) => pm.announce(record, given),
            // The server listens there already.
            { address, ...(side === "client" && { listen: true }) },
          );
          assert.equal(made.port, 0);
          const [record, joined] = await managed.puppet.told(
            "newSubflow",
            ([{ token }]) => token === connection.token,
          );
          assert.deepEqual(joined.local, { address, port: record.local.port });
          await managed.puppet.with(
            connection.token,
            (pm, record, given) => pm.withdraw(record, given),
            address,
          );
          await managed.puppet.told("subflowClosed", ([{ token }]) => token === connection.token);
        });

        it("rejects with EADDRINUSE where a program listens already, and announces nothing", async () => {
          const connection = await managed.connect(family);
          const port = await managed.here.listen({ address: family.any, port: 0 });
          const attempt = announce(managed, connection, address, port);
          await assert.rejects(attempt, { code: "EADDRINUSE", name: "SystemError" });
          assert.deepEqual(await managed.here.ids(connection.token), []);
          await managed.here.stopListening(port);
        });

        it("rejects with ENOENT what was never announced, and with EINVAL what is no address", async () => {
          const connection = await managed.connect(family);
          const codes = await managed.puppet.with(
            connection.token,
            (pm, record, own) =>
              Promise.all(
                [own, "10.0.300.1"].map((given) =>
                  pm.withdraw(record, given).then(
                    () => "resolved",
                    (error) => error.code,
                  ),
                ),
              ),
            address,
          );
          assert.deepEqual(codes, ["ENOENT", "EINVAL"]);
        });
      });
    }
  });
}

describe("the listeners of announced addresses are closed", { skip: requires(), concurrency: 3 }, () => {
  const endings: readonly (readonly [string, (managed: ManagedHost) => Promise<unknown>])[] = [
    ["when mptcpd stops", ({ machine }) => machine.stop()],
    ["when mptcpd is killed", ({ machine }) => machine.daemon.kill()],
    ["when a reload unloads the path manager", ({ machine }) => machine.reload("")],
    [
      "when the path manager is stopped after too many faults",
      ({ puppet }) =>
        puppet.run((pm) => {
          pm.after(0, () => {
            throw new Error("the last straw");
          });
        }),
    ],
  ];
  for (const [what, end] of endings)
    it(what, async (t) => {
      const managed = await ManagedHost.create(t, "client");
      await managed.machine.start({
        config: managed.puppet.config.replace("[core]", "[core]\nplugin-faults=1"),
      });
      const connection = await managed.connect(families[0]);
      const { port } = await announce(managed, connection, "10.0.2.2");
      assert.ok((await listeners(managed)).includes(`:${port} `));
      await end(managed);
      await noListener(managed, port);
      await managed.clientPeer.echo(connection.socket);
    });
});

/** With a listener. */
function announce(
  { puppet }: ManagedHost,
  { token }: ManagedConnection,
  address: string,
  port = 0,
): Promise<Announcement> {
  return puppet.with(token, (pm, record, given) => pm.announce(record, { ...given, listen: true }), {
    address,
    port,
  });
}

function withdraw({ puppet }: ManagedHost, { token }: ManagedConnection, made: Announcement): Promise<void> {
  return puppet.with(token, (pm, record, given) => pm.withdraw(record, given), made);
}

function listeners({ machine }: ManagedHost): Promise<string> {
  return machine.host.run("ss", "-tlnH");
}

async function noListener(managed: ManagedHost, port: number): Promise<void> {
  await eventually("the end of the listener", async () =>
    assert.ok(!(await listeners(managed)).includes(`:${port} `)),
  );
}
