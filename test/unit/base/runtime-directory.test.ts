import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  openGuarded,
  openOrCreateGuarded,
  readStateFile,
  replaceStateFile,
} from "../../../src/base/runtime-directory.ts";
import { Checkpoint } from "../../../src/control/connections/checkpoint.ts";
import { requestAdoption } from "../../../src/control/endpoints/adoption.ts";
import { Ledger } from "../../../src/control/endpoints/ledger.ts";
import { NamespaceLock, namespaceFiles } from "../../../src/control/endpoints/namespace.ts";
import {
  readRefused,
  readWanted,
  wantedFile,
  wantedText,
} from "../../../src/control/endpoints/published-state.ts";
import { requires } from "../../../src/lab/kit/requires.ts";
import { exclusively } from "../../../src/services/lock.ts";
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

const { O_RDWR, O_APPEND } = constants;
/** The id of a user who is not root. */
const service = 65534;

describe("a file in a directory of another user", () => {
  it("is opened if it is a regular file with one name", (t) => {
    const file = join(temporaryDirectory(t), "file");
    assert.equal(openGuarded(file, O_RDWR), undefined);
    closeSync(openOrCreateGuarded(file, O_RDWR, 0o600));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const fd = openGuarded(file, O_RDWR);
    assert.ok(fd !== undefined);
    closeSync(fd);
  });

  it("is refused if it is a link, hard or symbolic, or of another kind; no descriptor stays open", (t) => {
    const directory = temporaryDirectory(t);
    const victim = join(directory, "victim");
    writeFileSync(victim, "secret");
    const path = (name: string) => join(directory, name);
    linkSync(victim, path("hard"));
    symlinkSync(victim, path("symbolic"));
    symlinkSync(path("nowhere"), path("dangling"));
    execFileSync("mkfifo", [path("fifo")]);
    const open = readdirSync("/proc/self/fd").length;
    for (const name of ["hard", "symbolic", "dangling", "fifo"]) {
      const refused = { code: "EBADFILE", message: new RegExp(`^${path(name)} .+: remove it$`) };
      assert.throws(() => openGuarded(path(name), O_RDWR), refused);
      assert.throws(() => openOrCreateGuarded(path(name), O_RDWR, 0o600), refused);
    }
    assert.equal(readdirSync("/proc/self/fd").length, open);
    assert.ok(!readdirSync(directory).includes("nowhere"));
  });

  it("is refused if it is not the directory owner's: a link's other names may be gone by now", {
    skip: requires({ root: true }),
  }, (t) => {
    const directory = temporaryDirectory(t);
    const file = join(directory, "file");
    writeFileSync(file, "root:secret", { mode: 0o644 });
    chownSync(directory, service, service);
    for (const act of [
      () => openGuarded(file, O_RDWR),
      () => openOrCreateGuarded(file, O_RDWR | O_APPEND, 0o600),
      () => readStateFile(file),
    ])
      assert.throws(act, { message: /belongs to user 0, not to the directory's owner \(user 65534\)/ });
    const { uid, mode } = statSync(file);
    assert.deepEqual([uid, mode & 0o777, readFileSync(file, "utf8")], [0, 0o644, "root:secret"]);
  });

  it("is given to the directory's owner when root creates it", { skip: requires({ root: true }) }, (t) => {
    const directory = temporaryDirectory(t);
    chownSync(directory, service, service);
    closeSync(openOrCreateGuarded(join(directory, "file"), O_RDWR, 0o600));
    assert.equal(statSync(join(directory, "file")).uid, service);
  });
});

describe("a hard link in the place of each file of the runtime directory", () => {
  const text = '{"secret": "root:$6$"}\n';
  for (const suffix of [
    ...namespaceFiles,
    "ledger.json.new",
    "wanted.new",
    "connections.new",
    "adopt.json.new",
  ])
    it(`${suffix} leaves the other file with its contents, mode and owner, and shows nothing of it`, (t) => {
      const directory = temporaryDirectory(t);
      const runtime = join(directory, "run");
      execFileSync("mkdir", [runtime]);
      const victim = join(directory, "victim");
      writeFileSync(victim, text);
      chmodSync(victim, 0o644);
      linkSync(victim, join(runtime, `netns-1.${suffix}`));
      const { uid, mode } = statSync(victim);
      const said = actAsEverybody(runtime);
      const after = statSync(victim);
      assert.deepEqual([after.uid, after.mode, readFileSync(victim, "utf8")], [uid, mode, text]);
      assert.doesNotMatch(said.join("\n"), /secret|\$6\$/);
    });

  it("mptcpize.lock is refused", async (t) => {
    const directory = temporaryDirectory(t);
    const directories = { persistent: "", runtime: join(directory, "systemd/system") };
    writeFileSync(join(directory, "victim"), text);
    linkSync(join(directory, "victim"), join(directory, "mptcpize.lock"));
    await assert.rejects(
      exclusively(directories, async () => undefined),
      { code: "REFUSED", message: /mptcpize\.lock cannot be locked \(.*hard links/ },
    );
  });
});

/** Everything that reads and writes there; what it says. */
function actAsEverybody(directory: string): string[] {
  const said: string[] = [];
  const attempt = (act: () => void) => {
    try {
      act();
    } catch (error) {
      said.push(String(error));
    }
  };
  const warn = (message: string) => void said.push(message);
  const file = join(directory, "netns-1.connections");
  attempt(() => {
    const lock = NamespaceLock.acquire(directory, namespace);
    if (lock instanceof NamespaceLock) lock.release();
  });
  attempt(() => requestAdoption(directory, namespace, []));
  attempt(() => new Ledger({ directory, namespace, warn }).recordCapacity(8));
  attempt(() => void readRefused(directory, namespace));
  attempt(() => void readWanted(directory, namespace));
  attempt(() => replaceStateFile(wantedFile(directory, namespace), wantedText(namespace, { by: "x" })));
  attempt(() => {
    const checkpoint = new Checkpoint({ file, bootId: "this boot", connections: new Set(), warn });
    checkpoint.load();
    checkpoint.begin();
  });
  return said;
}
