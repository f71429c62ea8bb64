import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readStateFile } from "../../../src/base/read-state-file.ts";
import { Checkpoint } from "../../../src/control/connections/checkpoint.ts";
import { Ledger } from "../../../src/control/endpoints/ledger.ts";
import { NamespaceLock, namespaceFiles } from "../../../src/control/endpoints/namespace.ts";
import { readRefused, readWanted } from "../../../src/control/endpoints/published-state.ts";
import { temporaryDirectory } from "../temporary.ts";

const namespace = { bootId: "this boot", key: "1" };

describe("a file of the runtime directory", () => {
  it("is read as a whole, if there is one", (t) => {
    const file = join(temporaryDirectory(t), "file");
    assert.equal(readStateFile(file), undefined);
    writeFileSync(file, "€\n".repeat(100_000));
    assert.equal(readStateFile(file), "€\n".repeat(100_000));
  });

  it("is refused if none of ours is of its kind or size", async (t) => {
    const directory = temporaryDirectory(t);
    const path = (name: string) => join(directory, name);
    execFileSync("mkfifo", [path("fifo")]);
    symlinkSync("/dev/zero", path("link"));
    symlinkSync("/nowhere", path("dangling"));
    mkdirSync(path("directory"));
    writeFileSync(path("large"), "");
    truncateSync(path("large"), 600 * 1024 * 1024);
    const server = createServer().listen(path("socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    const open = readdirSync("/proc/self/fd").length;
    const notRegular = "is not a regular file: remove it";
    const words = {
      ...{ fifo: notRegular, directory: notRegular, socket: notRegular },
      ...{ link: "is a symbolic link: remove it", dangling: "is a symbolic link: remove it" },
      large: "is larger than 16 MiB: remove it",
    };
    for (const [name, message] of Object.entries(words))
      assert.throws(() => readStateFile(path(name)), { message: `${path(name)} ${message}` });
    assert.equal(readdirSync("/proc/self/fd").length, open, "file descriptors");
    await new Promise((resolve) => server.close(resolve));
  });

  it("keeps none of its readers waiting", (t) => {
    const directory = temporaryDirectory(t);
    for (const name of namespaceFiles) execFileSync("mkfifo", [join(directory, `netns-1.${name}`)]);
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    const ledger = new Ledger({ directory, namespace, warn });
    assert.deepEqual(ledger.endpoints, []);
    const file = join(directory, "netns-1.connections");
    const checkpoint = new Checkpoint({ file, bootId: "this boot", connections: new Set(), warn });
    checkpoint.load();
    assert.deepEqual(
      warnings.map((warning) => /is not a regular file/.test(warning)),
      [true, true],
    );
    const refused = { message: /is not a regular file: remove it$/ };
    assert.throws(() => readWanted(directory, namespace), refused);
    assert.throws(() => readRefused(directory, namespace), refused);
    assert.throws(() => NamespaceLock.acquire(directory, namespace), refused);
  });

  it("is not quoted as it is", (t) => {
    const directory = temporaryDirectory(t);
    writeFileSync(join(directory, "netns-1.ledger.json"), '\u001b[2J\n=== "');
    writeFileSync(
      join(directory, "netns-1.wanted"),
      JSON.stringify({ bootId: "this boot", by: "\u001b[2J\nx" }),
    );
    const warnings: string[] = [];
    new Ledger({ directory, namespace, warn: (message) => void warnings.push(message) });
    assert.equal(warnings.length, 1);
    for (const text of [...warnings, readWanted(directory, namespace)?.by ?? ""])
      assert.match(text, /^[^\p{Cc}]+$/u);
  });
});
