import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { exclusively, lockPath } from "../../../src/services/lock.ts";
import { temporaryDirectory } from "../temporary.ts";
import { refusal } from "./facts.ts";

describe("the lock of commands that change units", () => {
  it("is where only those can hold it who may change the units", () => {
    const path = (runtime: string) => lockPath({ persistent: "", runtime });
    assert.equal(path("/run/systemd/system"), "/run/mptcpize.lock");
    assert.equal(path("/run/user/7/systemd/user"), "/run/user/7/mptcpize.lock");
  });

  it("lets one act at a time, the next one also after a failure", async (t) => {
    const directories = { persistent: "", runtime: join(temporaryDirectory(t), "systemd/system") };
    let acting = 0;
    const act = async () => {
      acting += 1;
      await new Promise(setImmediate);
      const seen = acting;
      acting -= 1;
      if (seen > 1) throw new Error("not alone");
      throw new Error("alone");
    };
    const all = await Promise.allSettled([1, 2, 3].map(() => exclusively(directories, act)));
    for (const result of all) assert.match(`${result.status === "rejected" && result.reason}`, /: alone$/);
  });

  it("is not waited for without end", async (t) => {
    const directories = { persistent: "", runtime: join(temporaryDirectory(t), "systemd/system") };
    const inner = () => exclusively(directories, async () => {}, 0);
    await assert.rejects(exclusively(directories, inner), refusal(lockPath(directories), "another mptcpize"));
  });

  it("is not needed where there is no directory for it, and is refused where it cannot be had", async (t) => {
    const root = temporaryDirectory(t);
    const act = async () => 1;
    assert.equal(await exclusively({ persistent: "", runtime: join(root, "none/systemd/user") }, act), 1);
    mkdirSync(join(root, "mptcpize.lock"));
    await assert.rejects(
      exclusively({ persistent: "", runtime: join(root, "systemd/user") }, act),
      refusal("cannot be locked", "is not a regular file"),
    );
  });
});
