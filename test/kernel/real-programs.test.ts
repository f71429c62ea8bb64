import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { launcher } from "../lab/launcher.ts";
import { assertAllMptcp, listeners, runMptcpized, withServer } from "../lab/mptcpized.ts";
import { nginx } from "../lab/nginx.ts";
import { address, oneLink } from "../lab/one-link.ts";
import { ssh, sshd, sshTools } from "../lab/ssh.ts";

const port = 8000;
const url = `http://${address}:${port}/greeting`;

/** In package-lock.json for the build; a Go program of a recent toolchain. */
const esbuild = join(checkout, `node_modules/@esbuild/${process.platform}-${process.arch}/bin/esbuild`);

type Command = readonly string[];
type Pair = {
  name: string;
  tools?: readonly string[];
  /** Given a directory with a file "greeting". */
  server: (directory: string) => Command | Promise<Command>;
  client: (directory: string) => Command;
};

const pairs: readonly Pair[] = [
  {
    name: "curl, and nginx with its workers",
    tools: ["nginx", "curl"],
    server: (directory) => nginx(directory, `server { listen ${address}:${port}; root ${directory}; }`),
    client: () => ["curl", "-sS", url],
  },
  {
    name: "python3, and its server with threads",
    tools: ["python3"],
    server: (directory) => words(`python3 -m http.server --bind ${address} --directory ${directory} ${port}`),
    client: () => ["python3", "-c", `import urllib.request as r; print(r.urlopen("${url}").read().decode())`],
  },
  {
    name: "node, both ends",
    server: () => {
      const serve = `http.createServer((_, response) => response.end("hello")).listen(${port}, "${address}")`;
      return [process.execPath, "-e", serve];
    },
    client: () => [process.execPath, "-e", `fetch("${url}").then((r) => r.text()).then(console.log)`],
  },
  {
    name: "ssh and sshd",
    tools: sshTools,
    server: (directory) => sshd(directory, port),
    client: (directory) => ssh(directory, port, ["echo", "hello"]),
  },
  {
    name: "busybox' wget and httpd, statically linked",
    tools: ["busybox"],
    server: (directory) => words(`busybox httpd -f -p ${address}:${port} -h ${directory}`),
    client: () => ["busybox", "wget", "-q", "-O", "-", url],
  },
  {
    name: "busybox' nc, both ends",
    tools: ["busybox"],
    server: () => words(`busybox nc -l -p ${port} -e echo hello`),
    client: () => words(`busybox nc ${address} ${port}`),
  },
  {
    name: "curl, and a server of today's Go",
    tools: ["curl"],
    server: (directory) => [esbuild, `--serve=${address}:${port}`, `--servedir=${directory}`],
    client: () => ["curl", "-sS", url],
  },
];

describe("mptcpize run, with programs as they are", { skip: requires({ root: true, tools: ["ss"] }) }, () => {
  for (const { name, tools = [], server, client } of pairs) {
    it(`makes them talk by MPTCP: ${name}`, { skip: requires({ tools }) }, async (t) => {
      const { lab, from, to } = await oneLink(t);
      const directory = directoryToServe(lab);
      await withServer(to, port, await server(directory), async () => {
        assert.equal((await runMptcpized(from, ...client(directory))).trim(), "hello");
      });
      await assertAllMptcp(to);
    });
  }

  it("--off takes MPTCP from a program that turns it on itself: a server of today's Go", async (t) => {
    const { lab, to } = await oneLink(t);
    const command = [esbuild, `--serve=${address}:${port}`, `--servedir=${directoryToServe(lab)}`];
    // What a Go program may also have compiled in.
    const env = { GODEBUG: "multipathtcp=1" };
    const itself = to.spawn("env", command, { env });
    await waitFor("its own listener", async () => (await listeners(to, "mptcp")).includes(port));
    await itself.stop();
    to.spawn(launcher, ["run", "--off", ...command], { env });
    await waitFor("its listener", async () => (await listeners(to, "tcp")).includes(port));
    assert.deepEqual(await listeners(to, "mptcp"), []);
  });

  it("gives iperf3 two subflows over two paths, and the rate of both", {
    skip: requires({ tools: ["iperf3"] }),
  }, async (t) => {
    const megabits = 40;
    const { client, server } = await twoPaths(await Lab.create(t), { rate: `${megabits}mbit` });
    await client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow");
    await withServer(server, 5201, ["iperf3", "-s"], async () => {
      const report = await runMptcpized(client, ...words("iperf3 -c 10.0.1.1 -t 5 -J"));
      // Of both together when nothing else runs on the machine; of one it is never more than that.
      assert.ok(received(JSON.parse(report)) > 1.1 * megabits * 1e6, report);
    });
    for (const device of ["eth1", "eth2"]) assert.ok((await client.bytesSent(device)) > 1e6, device);
  });
});

function directoryToServe(lab: Lab): string {
  const directory = lab.freshPath("served");
  mkdirSync(directory);
  writeFileSync(join(directory, "greeting"), "hello\n");
  return directory;
}

/** Bits per second, of iperf3's report. */
function received(report: { end: { sum_received: { bits_per_second: number } } }): number {
  return report.end.sum_received.bits_per_second;
}

function words(line: string): string[] {
  return line.split(" ");
}
