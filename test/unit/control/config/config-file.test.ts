import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ConfigError, defaultConfig } from "../../../../src/control/config/config.ts";
import { loadConfig } from "../../../../src/control/config/load.ts";

const directory = mkdtempSync(join(tmpdir(), "mptcpd-config-"));
after(() => rmSync(directory, { recursive: true }));

function fileOf(name: string, text: string, mode = 0o644): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

function errorOf(file: string, mustExist = false): string {
  try {
    loadConfig({ file, mustExist });
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  return assert.fail("the file was accepted");
}

describe("the configuration file", () => {
  it("is read, a link to it too", () => {
    const file = fileOf("plain", "[core]\nlog=null", 0o664);
    symlinkSync(file, join(directory, "link"));
    assert.equal(loadConfig({ file }).config.log, "null");
    assert.equal(loadConfig({ file: join(directory, "link") }).config.log, "null");
  });

  it("may be missing, or a link that leads nowhere", () => {
    const dangling = join(directory, "dangling");
    symlinkSync(join(directory, "nowhere"), dangling);
    assert.deepEqual(loadConfig({ file: join(directory, "none") }).config, defaultConfig);
    assert.deepEqual(loadConfig({ file: dangling }).config, defaultConfig);
  });

  it("must exist when it was asked for by name", () => {
    const file = join(directory, "none");
    assert.equal(errorOf(file, true), `${file}: there is no such file`);
  });

  it("is refused when everybody may write to it", () => {
    assert.match(errorOf(fileOf("open", "", 0o666)), /everybody may write to it; run: chmod o-w/);
  });

  it("is refused when it is a directory, a socket or a device", async () => {
    const socket = join(directory, "socket");
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      for (const file of [directory, socket, "/dev/null"])
        assert.equal(errorOf(file), `${file}: is not a regular file`);
    } finally {
      server.close();
    }
  });

  it("is refused when it is a FIFO, without waiting for a writer", () => {
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", ["-m", "644", fifo]);
    assert.equal(errorOf(fifo), `${fifo}: is not a regular file`);
  });

  it("is never ignored because it cannot be read", () => {
    const below = join(fileOf("file", ""), "x.conf");
    assert.match(errorOf(below), /x\.conf: cannot be read: not a directory; let the daemon's user read it/);
    // Opens as a regular file for its own process; reading its first page is an error.
    assert.match(errorOf("/proc/self/mem"), /cannot be read: i\/o error/);
    const loop = join(directory, "loop");
    symlinkSync(loop, loop);
    assert.match(errorOf(loop), /cannot be read: too many symbolic links/);
  });

  it("is refused when it is larger than any configuration", () => {
    const file = fileOf("large", "");
    truncateSync(file, 2 ** 40);
    assert.match(errorOf(file), /is larger than 1 MiB/);
  });
});
