import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { Page } from "../lab/document.ts";
import { Shown } from "../lab/shown.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { follow } from "./docs.ts";
import { installed } from "./installed.ts";
import { cable, server, wifi } from "./surroundings.ts";

const page = Page.read("docs/troubleshooting.md");

/** What else is so in the sections that speak of it, by their titles; mptcpd runs afterwards. */
const faults: Readonly<Record<string, readonly string[]>> = {
  "mptcpd does not start": [],
  "An address is no endpoint": [],
  "A connection is plain TCP": ["ip netns exec elsewhere iperf3 --server --daemon --port 5202"],
  Limits: [],
  // The server's way back leads nowhere, as behind a firewall.
  "No answer comes": ["ip -n elsewhere route add blackhole 192.0.2.20/32"],
  "The route": [],
  "The answer is dropped: rp_filter": [],
  "The server refuses": ["ip -n elsewhere mptcp limits set subflows 0"],
  "Nobody decides": [],
  "Wrong bytes arrive": [],
  "A service stays TCP": ["systemctl start nginx.service"],
  EPERM: [],
  Watching: [],
};

const problem = await systemdProblem(["iperf3", "nginx", "nstat", "curl"]);

describe("docs/troubleshooting.md", { skip: problem, concurrency: 2 }, () => {
  const sections = page.sections.filter(({ blocks }) => blocks.length > 0);

  it("has a fault for each section with commands", () =>
    assert.deepEqual(
      sections.map(({ title }) => title),
      Object.keys(faults),
    ));

  for (const section of sections)
    it(`tells what is to be seen: ${section.title}`, async (t) => {
      const lab = await SystemdLab.boot(t);
      await lab.run("bash", "-ec", [...server, ...cable, ...wifi].join("\n"));
      await installed(lab);
      await lab.run("bash", "-ec", (faults[section.title] ?? []).join("\n"));
      if (section.title !== "mptcpd does not start") await lab.run("systemctl", "start", "mptcp.service");
      await follow(lab, page, section, new Shown(), { "mptcpctl monitor": () => monitor(lab) });
    });
});

const wholeLife = ["CREATED", "ESTABLISHED", "SF_ESTABLISHED", "CLOSED"];

/**
 * What it prints of a connection that is made and closed while it listens, which it does not say. Some are closed
 * before their second subflow is there.
 */
async function monitor(lab: SystemdLab): Promise<string> {
  const file = "/root/monitor";
  const start = `mptcpctl monitor >${file} 2>&1 & echo $!`;
  const pid = (await lab.run("bash", "-ec", start)).trim();
  const told = await waitFor("a connection with two subflows, from its begin to its end", async () => {
    await lab.outcome(
      "mptcpize",
      "run",
      "curl",
      "--silent",
      "--max-time",
      "0.5",
      "http://198.51.100.1:5201/",
    );
    const lines = (await lab.run("cat", file)).split("\n");
    const tokens = new Set(lines.flatMap((line) => line.match(/token=\w+/) ?? []));
    const lives = [...tokens].map((token) => lines.filter((line) => line.includes(token)));
    const events = (life: readonly string[]) => life.map((line) => line.match(/^\[ *(\w+)\]/)?.[1]);
    return lives.find((life) => isDeepStrictEqual(events(life), wholeLife))?.join("\n");
  });
  await lab.run("kill", "-INT", pid);
  return told;
}
