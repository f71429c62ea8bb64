import { describe, it } from "node:test";
import { Lab } from "../lab/lab.ts";
import { Machine } from "../lab/machine.ts";
import { Peer } from "../lab/peer.ts";
import { requires } from "../lab/requires.ts";
import { twoPaths } from "../lab/two-paths.ts";
import { waitFor } from "../lab/wait.ts";

describe("probe", { skip: requires() }, () => {
  it("mesh", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    await server.ip("mptcp limits set subflows 8 add_addr_accepted 8");
    await server.ip("mptcp endpoint add 10.0.2.1 dev eth2 signal");
    const machine = new Machine(lab, client);
    const config = "[core]\npath-manager=fullmesh\nload-plugins=fullmesh\n";
    let s = performance.now();
    const lap = (what: string) => {
      console.log(what, Math.round(performance.now() - s));
      s = performance.now();
    };
    await machine.start({ config });
    lap("start");
    const [a, b] = [new Peer(client), new Peer(server)];
    const port = await b.listen({ address: "0.0.0.0", port: 0 });
    await a.connectMany({ address: "10.0.1.1", port, count: 1000 });
    lap("connected");
    const count = async () => Number(await client.run("sh", "-c", "ss -tnH state established | wc -l"));
    console.log(await count());
    await waitFor("mesh", count, { until: (n) => n === 4000, deadlineMs: 20_000 });
    lap("mesh");
    await machine.daemon.kill();
    await client.run("sh", "-c", "ss -K src 10.0.2.2 >/dev/null");
    lap("killed");
    console.log(await count());
    const d = machine.launch({ config });
    await d.waitForLine(/ready/, { deadlineMs: 20_000 });
    lap("ready");
    console.log(await count());
    await waitFor("mesh", count, { until: (n) => n === 4000, deadlineMs: 20_000 });
    lap("mesh again");
    console.log(d.lines.length, d.lines.slice(0, 5), d.lines.slice(-5));
  });
});
