import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { rounds } from "../lab/campaign.ts";
import { type Build, compiled, toolsFor } from "../lab/programs.ts";

/** The sanitizer's library, if its tests run; see tools/test.mjs. It is made for glibc. */
const { MPTCPIZE_ASAN } = process.env;
const library = join(checkout, MPTCPIZE_ASAN === undefined ? "dist" : "dist/asan", "libmptcpwrap.so");
const preloaded = MPTCPIZE_ASAN === undefined ? library : `${MPTCPIZE_ASAN}:${library}`;
const libcs: readonly Build[] = MPTCPIZE_ASAN === undefined ? ["glibc", "musl"] : ["glibc"];

for (const libc of libcs) {
  const skip = requires({ tools: [toolsFor.glibc, ...(libc === "musl" ? [toolsFor.musl] : [])] });
  describe(`a socket that an option makes TCP, in a program of ${libc} with threads`, { skip }, () => {
    let lab: Lab;
    let host: Host;
    before(async () => {
      lab = await Lab.create();
      host = await lab.host("one");
    });
    after(() => lab.close());
    const threads = async (...words: (string | number)[]) => {
      const command = [await compiled("option-threads", libc), ...words.map(String)];
      return (await host.run("env", `LD_PRELOAD=${preloaded}`, ...command)).trim();
    };

    // The library makes two TCP sockets, one to compare with and one to put in place, and looks at the descriptor.
    for (const step of [1, 2, 3])
      it(`does not replace a file that got its number meanwhile, at step ${step} of 3`, async () => {
        assert.equal(await threads("closed", step), "errno 92, the pipe is there");
      });

    it("is replaced if nobody interferes", async () => {
      assert.equal(await threads("closed", 4), "errno 0, the pipe is gone");
    });

    it("stays out of the way of others that open and close files", async () => {
      assert.equal(await threads("storm", 4, 300), "1200 sockets are TCP, 0 files are gone");
    });

    it("leaves no descriptor and no error where others close it at any moment and reuse its number", async (t) => {
      const each = rounds(500, 20_000);
      const said = await threads("race", 4, each);
      t.diagnostic(said);
      const [, replaced] = /^(\d+) sockets, (\d+) became pipes, 0 errors, 0 left$/.exec(said)?.slice(1) ?? [];
      assert.ok(Number(replaced) > 0, said);
    });
  });
}
