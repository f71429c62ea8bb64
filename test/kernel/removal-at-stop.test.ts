import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { shownConnections } from "../lab/connections.ts";
import { Machine } from "../lab/machine.ts";
import { Peer } from "../lab/peer.ts";

const config = "[core]\non-stop=remove\n[path ipv6]\nmatch-address=::/0\nignore=yes\n";

describe("on-stop=remove while connections last", { skip: requires(), concurrency: 4 }, () => {
  for (const side of ["client", "server"] as const)
    it(`at the ${side}: leaves the endpoint that carries their only subflow, names it, and cuts none`, async (t) => {
      const { machine, connect } = await connected(t, side);
      const connection = await connect();
      await machine.stop();
      await connection.echo();
      const left = side === "client" ? "10.0.1.2" : "10.0.1.1";
      assert.deepEqual(await machine.host.endpointAddresses(), [left]);
      const [line, ...more] = machine.problems;
      assert.match(
        line ?? "",
        new RegExp(`^warning: endpoint \\d+ ${left} .*: left in place, .* only subflow of a connection`),
      );
      assert.deepEqual(more, []);
      assert.deepEqual(await machine.host.limits(), { subflows: 2, addAddrAccepted: 0 });
      await connection.close();
      await machine.start({ config });
      await machine.stop();
      assert.deepEqual(await machine.host.endpointAddresses(), [], "it belongs to the next mptcpd");
    });

  it("keeps one of two subflows: the one that the connection began on", async (t) => {
    const { machine, connect } = await connected(t, "client");
    const connection = await connect();
    await eventually("two subflows", async () =>
      assert.equal((await shownConnections(machine.host))[0]?.subflows.length, 2),
    );
    await machine.stop();
    await connection.echo();
    assert.deepEqual(await machine.host.endpointAddresses(), ["10.0.1.2"]);
  });

  it("removes all where connections became plain TCP, which go on", async (t) => {
    const { machine, client, server } = await connected(t, "client");
    const program =
      'require("net").createServer((s) => s.pipe(s)).listen(7000, () => console.log("listens"))';
    await server.spawn(process.execPath, ["-e", program]).waitForLine(/^listens$/);
    const peer = new Peer(client);
    const socket = await peer.connect({ address: "10.0.1.1", port: 7000 });
    assert.equal((await shownConnections(client))[0]?.fallback, true);
    await machine.stop();
    await peer.echo(socket);
    assert.deepEqual(await client.endpointAddresses(), []);
  });
});

async function connected(t: Parameters<typeof Lab.create>[0], side: "client" | "server") {
  const lab = await Lab.create(t);
  const { client, server } = await twoPaths(lab);
  const machine = new Machine(lab, side === "client" ? client : server);
  await machine.start({ config });
  const connect = async () => {
    const peer = new Peer(client);
    const port = await new Peer(server).listen({ address: "10.0.1.1", port: 0 });
    const socket = await peer.connect({ address: "10.0.1.1", port });
    return { echo: () => peer.echo(socket), close: () => peer.close(socket) };
  };
  return { machine, client, server, connect };
}
