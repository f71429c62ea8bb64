import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { shellNames } from "../../src/completions/files.ts";
import { Completions, offered, shellProblem } from "../lab/completion.ts";
import { shownConnections } from "../lab/connections.ts";
import type { Host } from "../lab/host.ts";
import { Lab } from "../lab/lab.ts";
import { requires } from "../lab/requires.ts";
import { startTraffic } from "../lab/traffic.ts";
import { twoPaths } from "../lab/two-paths.ts";
import { waitFor } from "../lab/wait.ts";

describe("completions of what the kernel has", { skip: requires() }, () => {
  let lab: Lab;
  let completions: Completions;
  let client: Host;
  let server: Host;
  let token = "";
  before(async () => {
    lab = await Lab.create();
    completions = new Completions();
    ({ client, server } = await twoPaths(lab));
    await client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow id 5");
    await client.ip("mptcp endpoint add fd00:2::2 dev eth2 subflow id 7");
    await startTraffic({ from: client, to: server, address: "10.0.1.1", rate: 100_000 });
    const [connection] = await waitFor("a connection", () => shownConnections(client), {
      until: (found) => found.length === 1,
    });
    token = connection?.token ?? assert.fail();
  });
  after(async () => {
    completions?.close();
    await lab?.close();
  });

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
        assert.deepEqual(await complete("mptcpctl connections "), [token]);
        assert.deepEqual(await complete("mptcpctl subflow create token "), [token]);
      });

      it("are network namespaces after -n, and what is in there from then on", async () => {
        assert.deepEqual(await complete(`mptcpctl -n ${client.namespace.slice(0, -2)}`), [client.namespace]);
        const elsewhere = (words: string) => complete(`mptcpctl ${words}`, server);
        const { namespace } = client;
        assert.deepEqual(await elsewhere("endpoint delete id "), []);
        assert.deepEqual(await elsewhere(`-n ${namespace} endpoint delete id `), ["5", "7"]);
        assert.deepEqual(await elsewhere(`--netns=${namespace} endpoint add 10.0.2`), ["10.0.2.2"]);
        assert.deepEqual(await elsewhere(`-jn ${namespace} connections `), [token]);
        assert.deepEqual(await elsewhere(`endpoint -n${namespace} delete id `), ["5", "7"]);
      });

      it("start neither Node nor a program of ours", () => assert.ok(!existsSync(completions.started)));
    });
});
