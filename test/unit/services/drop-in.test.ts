import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it } from "node:test";
import {
  type DropInContent,
  dropInDirectories,
  dropInPath,
  environmentFileBeside,
  findDropIns,
  formatDropIn,
  parseDropIn,
} from "../../../src/services/drop-in.ts";
import { temporaryDirectory } from "../temporary.ts";

const content: DropInContent = {
  unit: "web.service",
  way: "seccomp",
  launcher: "/usr/bin/mptcpize",
  originalExecStart: ["/usr/sbin/web -a 'b c' %h", "-/usr/sbin/other"],
  createdDirectory: true,
  section: "Service",
  lines: ["ExecStart=", "ExecStart=/usr/bin/mptcpize run --how=seccomp -- /usr/sbin/web -a 'b c' %h"],
};

describe("a drop-in", () => {
  it("tells what was done, and how to undo it, before anything else", () => {
    const text = formatDropIn({ ...content, way: "preload", library: "/lib/x.so", createdDirectory: false });
    const [first = "", second = ""] = text.split("\n");
    assert.match(first, /^# .*web\.service.*mptcpize enable web\.service/);
    assert.match(second, /^# .*mptcpize disable web\.service/);
    assert.match(text, /^\[X-Mptcpize\]\nWay=preload\nLibrary=\/lib\/x\.so\n/m);
    assert.match(text, /^CreatedDirectory=no$/m);
  });

  it("is read as it was written", () => {
    const dropIn = parseDropIn(formatDropIn(content));
    assert.equal(dropIn?.way, "seccomp");
    assert.equal(dropIn.launcher, "/usr/bin/mptcpize");
    assert.equal(dropIn.library, undefined);
    assert.deepEqual(dropIn.originalExecStart, content.originalExecStart);
    assert.equal(dropIn.createdDirectory, true);
    assert.equal(dropIn.edited, false);
    assert.deepEqual(
      dropIn.assignments
        .filter(({ section }) => section === "Service")
        .map(({ key, value }) => `${key}=${value}`),
      content.lines,
    );
  });

  it("is the same text for the same plan", () => {
    assert.equal(formatDropIn(content), formatDropIn({ ...content }));
  });

  it("knows that it has been edited", () => {
    const text = formatDropIn(content);
    assert.equal(parseDropIn(`${text}# mine\n`)?.edited, true);
    assert.equal(parseDropIn(text.replace("-a", "-b"))?.edited, true);
    assert.equal(parseDropIn(text.replace("Checksum=", "Checksum=0"))?.edited, true);
    assert.equal(parseDropIn(text.replace(/^Checksum=.*\n/m, ""))?.edited, true);
  });

  it("knows that the environment file beside it has been edited", () => {
    const text = formatDropIn({ ...content, environmentFile: "A=1\n" });
    assert.equal(parseDropIn(text, "A=1\n")?.edited, false);
    assert.equal(parseDropIn(text, "A=2\n")?.edited, true);
    assert.equal(parseDropIn(text)?.edited, true);
  });

  it("is ours only if it says so", () => {
    assert.equal(parseDropIn("[Service]\nEnvironment=LD_PRELOAD=/lib/libmptcpwrap.so\n"), undefined);
    assert.equal(parseDropIn("[X-Mptcpize]\nWay=magic\n"), undefined);
    assert.equal(parseDropIn(""), undefined);
  });
});

describe("the places of drop-ins", () => {
  it("are the system's, or the user's by the XDG variables", () => {
    assert.deepEqual(dropInDirectories({ user: false }), {
      persistent: "/etc/systemd/system",
      runtime: "/run/systemd/system",
    });
    assert.deepEqual(
      dropInDirectories({ user: true, environment: { HOME: "/home/me", XDG_RUNTIME_DIR: "/run/user/7" } }),
      { persistent: "/home/me/.config/systemd/user", runtime: "/run/user/7/systemd/user" },
    );
    assert.equal(
      dropInDirectories({ user: true, environment: { HOME: "/home/me", XDG_CONFIG_HOME: "/x" } }).persistent,
      "/x/systemd/user",
    );
  });

  it("are searched for all enabled units; of two for one unit the persistent one counts", (t) => {
    const root = temporaryDirectory(t);
    const directories = { persistent: `${root}/etc`, runtime: `${root}/run` };
    assert.deepEqual(findDropIns(directories), []);
    const put = (directory: string, unit: string, text: string) => {
      const path = dropInPath(directory, unit);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      return path;
    };
    put(directories.runtime, "web.service", formatDropIn({ ...content, way: "go" }));
    const web = put(directories.persistent, "web.service", formatDropIn(content));
    const other = put(
      directories.runtime,
      "a@.service",
      formatDropIn({ ...content, environmentFile: "A=1\n" }),
    );
    writeFileSync(environmentFileBeside(other), "A=1\n");
    put(directories.persistent, "foreign.service", "[Service]\nNice=1\n");
    // What cannot be read hides nothing else, and is told.
    const refusals: unknown[] = [];
    mkdirSync(dropInPath(directories.persistent, "odd.service"), { recursive: true });
    assert.deepEqual(
      findDropIns(directories, refusals).map(({ unit, path, dropIn }) => [
        unit,
        path,
        dropIn.way,
        dropIn.edited,
      ]),
      [
        ["a@.service", other, "seccomp", false],
        ["web.service", web, "seccomp", false],
      ],
    );
    assert.equal(refusals.length, 1);
    assert.match(String(refusals[0]), /cannot be read/);
  });
});
