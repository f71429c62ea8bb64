import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { configurationSection } from "../../../../src/programs/report/mptcpd-sections.ts";
import { Secrets } from "../../../../src/programs/report/secrets.ts";

describe("the configuration in a report", () => {
  it("is followed by what mptcpd says of it, a line for each fault", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "mptcpd-report-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, "mptcpd.conf");
    const textOf = async (content: string) => {
      writeFileSync(file, content, { mode: 0o600 });
      return (await configurationSection(file, new Secrets()).gather()).text;
    };
    assert.equal(await textOf("[core]\nlog=null\n"), "[core]\nlog=null\n");
    assert.match(
      await textOf("[core]\nlog=nowhere\non-stop=never\n"),
      /^\[core\]\nlog=nowhere\non-stop=never\n\nmptcpd says: .*:2: .*\nmptcpd says: .*:3: .*\n$/,
    );
  });
});
