import { CommandError } from "../../base/command-line/command-error.ts";
import type { Section } from "./section.ts";
import { askTool } from "./tool.ts";

/** What meddles with TCP options keeps MPTCP from working. The rest of a firewall is nobody's business. */
export const firewallSection: Section = {
  name: "firewall",
  title: "nftables rules that name MPTCP or an option of TCP",
  async gather() {
    const { stdout } = await nftables();
    let [table, chain] = ["", ""];
    const found: { table: string; chain: string; rule: string }[] = [];
    for (const line of stdout.split("\n").map((text) => text.trim())) {
      table = /^table (.+) \{/.exec(line)?.[1] ?? table;
      chain = /^chain (.+) \{/.exec(line)?.[1] ?? chain;
      // A comment is free text.
      const rule = line.replace(/ comment "[^"]*"/, "");
      if (/\bmptcp\b|\btcp option\b/.test(rule)) found.push({ table, chain, rule });
    }
    return {
      text: found.map(({ table, chain, rule }) => `${table} ${chain}: ${rule}\n`).join(""),
      data: found,
    };
  },
};

async function nftables(): Promise<{ readonly stdout: string }> {
  if (process.geteuid?.() !== 0) throw new CommandError("EPERM", "only root can list nftables rules");
  return askTool("nft", ["list", "ruleset"]);
}
