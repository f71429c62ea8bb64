import assert from "node:assert/strict";
import { readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Adoptions } from "../../../../src/control/endpoints/adoption.ts";
import { Ledger } from "../../../../src/control/endpoints/ledger.ts";
import { temporaryDirectory } from "../../temporary.ts";

const namespace = { bootId: "this boot", key: "1" };

describe("a request to adopt endpoints", () => {
  it("that is a link leading nowhere is removed, and said once", (t) => {
    const directory = temporaryDirectory(t);
    const said: string[] = [];
    const say = (message: string): void => void said.push(message);
    const log = { debug: say, info: say, notice: say, warning: say, error: say };
    const ledger = new Ledger({ directory, namespace, warn: say });
    const adoptions = new Adoptions({ directory, namespace, ledger, log });
    symlinkSync("/nonexistent/target", join(directory, "netns-1.adopt.json"));
    adoptions.collect();
    assert.deepEqual(readdirSync(directory), []);
    adoptions.collect();
    assert.equal(said.length, 2);
    assert.match(said[0] ?? "", /cannot be read: \S+ is a symbolic link: remove it$/);
    assert.match(said[1] ?? "", /can be read again$/);
  });
});
