import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { shellNames } from "../../src/programs/completions/completion-files.ts";
import { Completions, offered, shellProblem } from "../lab/completion.ts";
import { shownConnections } from "../lab/connections.ts";
import { type OpenSocket, Peer } from "../lab/peer.ts";

describe("completions of what the kernel has", { skip: requires() }, () => {
  let lab: Lab;
  let completions: Completions;
  let client: Host;
  let server: Host;
  let tokens: string[] = [];
  before(async () => {
    lab = await Lab.create();
    completions = new Completions();
    ({ client, server } = await twoPaths(lab));
    await client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow id 5");
    await client.ip("mptcp endpoint add fd00:2::2 dev eth2 subflow id 7");
    await connectTwice();
    const connections = await shownConnections(client);
    tokens = connections.map(({ token }) => token).sort();
    assert.ok(tokens.length === 2 && tokens[0]?.startsWith("0"), `${tokens}`);
  });
  after(async () => {
    completions?.close();
    await lab?.close();
  });

  /** One of the two tokens begins with 0, as one of sixteen does: mptcpctl writes that, ss does not. */
  async function connectTwice(): Promise<void> {
    const [peer, other] = [new Peer(client), new Peer(server)];
    const port = await other.listen({ address: "0.0.0.0", port: 0 });
    const sockets: OpenSocket[] = [];
    const isShort = ({ token }: OpenSocket) => token < 0x1000_0000;
    while (!sockets.some(isShort) || sockets.every(isShort))
      sockets.push(await peer.connect({ address: "10.0.1.1", port }));
    const kept = [sockets.find(isShort), sockets.find((socket) => !isShort(socket))];
    for (const socket of sockets) if (!kept.includes(socket)) await peer.close(socket);
    await waitFor("two connections", () => client.run("ss", "-MniH"), {
      until: (text) => text.match(/token:/g)?.length === 2,
    });
  }

  for (const shell of shellNames)
    describe(`in ${shell}`, { skip: shellProblem(shell) }, () => {
      const complete = async (line: string, host = client) =>
        offered(await host.run(...completions.command(shell, line)));

      it("are interfaces after dev", async () => {
        assert.deepEqual(await complete("mptcpctl endpoint add 10.0.1.2 dev e"), ["eth1", "eth2"]);
      });

      it("are addresses of the host where one is wanted", async () => {
        assert.deepEqual(await complete("mptcpctl endpoint add 1"), ["10.0.1.2", "10.0.2.2"]);
        assert.deepEqual(await complete("mptcpctl explain 10.0.2"), ["10.0.2.2"]);
        assert.deepEqual(await complete("mptcpctl explain e"), ["eth1", "eth2"]);
      });

      it("are endpoints, by id or address, where one is to be changed", async () => {
        assert.deepEqual(await complete("mptcpctl endpoint change id "), ["5", "7"]);
        assert.deepEqual(await complete("mptcpctl e del i "), ["5", "7"]);
        assert.deepEqual(await complete("mptcpctl endpoint show 1"), ["10.0.2.2"]);
        assert.deepEqual(await complete("mptcpctl adopt 1"), ["10.0.2.2"]);
      });

      it("are whole where addresses have colons", async () => {
        // bash replaces only what follows the last colon.
        const rest = shell === "bash" ? [":2"] : ["fd00:2::2"];
        assert.deepEqual(await complete("mptcpctl adopt 10.0.2.2 fd00:2:"), rest);
      });

      it("are tokens of connections", async () => {
        assert.deepEqual(await complete("mptcpctl connections "), tokens);
        assert.deepEqual(await complete("mptcpctl connections 0"), tokens.slice(0, 1));
        assert.deepEqual(await complete("mptcpctl subflow create token "), tokens);
      });

      it("are network namespaces after -n, and what is in there from then on", async () => {
        assert.deepEqual(await complete(`mptcpctl -n ${client.namespace.slice(0, -2)}`), [client.namespace]);
        const elsewhere = (words: string) => complete(`mptcpctl ${words}`, server);
        const { namespace } = client;
        assert.deepEqual(await elsewhere("endpoint delete id "), []);
        assert.deepEqual(await elsewhere(`-n ${namespace} endpoint delete id `), ["5", "7"]);
        assert.deepEqual(await elsewhere(`--netns=${namespace} endpoint add 10.0.2`), ["10.0.2.2"]);
        assert.deepEqual(await elsewhere(`-jn ${namespace} connections `), tokens);
        assert.deepEqual(await elsewhere(`endpoint -n${namespace} delete id `), ["5", "7"]);
      });

      it("start neither Node nor a program of ours", () => assert.ok(!existsSync(completions.started)));
    });
});
