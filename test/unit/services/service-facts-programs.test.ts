import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { commandsOf } from "../../../src/services/service-facts.ts";
import { Properties } from "../../../src/services/systemd/systemctl.ts";
import { temporaryDirectory } from "../temporary.ts";
import { refusal } from "./facts.ts";

function shown(lines: readonly string[], values: Readonly<Record<string, string>> = {}) {
  const others = Object.entries(values).map(([name, value]) => [name, [value]] as const);
  return new Properties(new Map([["ExecStartEx", lines], ...others]));
}

const tail = "start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }";

describe("the commands of a unit", () => {
  it("are those that systemd shows: specifiers expanded, one for each of a line", () => {
    const properties = shown([
      `{ path=/bin/echo ; argv[]=/bin/echo a ; b ; flags= ; ${tail}`,
      `{ path=/opt/a b/c ; argv[]=zero\none ; flags=ignore-failure privileged ; ${tail}`,
    ]);
    assert.deepEqual(commandsOf("web.service", [], properties, false), [
      { path: "/bin/echo", args: ["a", ";", "b"], privileged: false },
      { path: "/opt/a b/c", args: [], privileged: true },
    ]);
  });

  it("are shown by systemd before 243, too", () => {
    const line = `{ path=/bin/echo ; argv[]=/bin/echo a ; ignore_errors=no ; ${tail}`;
    const properties = new Properties(new Map([["ExecStart", [line]]]));
    assert.deepEqual(commandsOf("web.service", [], properties, false), [
      { path: "/bin/echo", args: ["a"], privileged: false },
    ]);
  });

  it("know those to which User= does not apply", () => {
    const flags = ["no-setuid", "ambient", "ignore-failure no-env-expand"];
    const properties = shown(flags.map((flag) => `{ path=/a ; argv[]=a ; flags=${flag} ; ${tail}`));
    const privileged = commandsOf("web.service", [], properties, false).map((command) => command.privileged);
    assert.deepEqual(privileged, [true, false, false]);
  });

  it("are those of the unit's files where systemd shows ours in their place", () => {
    const properties = shown([`{ path=/usr/bin/mptcpize ; argv[]=mptcpize run ; flags= ; ${tail}`]);
    assert.deepEqual(
      commandsOf("web.service", ["-/bin/a b", "+/bin/c", "-!/bin/d", "!!/bin/e"], properties, true),
      [
        { path: "/bin/a", args: ["b"], privileged: false },
        { path: "/bin/c", args: [], privileged: true },
        { path: "/bin/d", args: [], privileged: true },
        { path: "/bin/e", args: [], privileged: false },
      ],
    );
    assert.throws(
      () => commandsOf("web.service", ["/opt/%p/a"], properties, true),
      refusal("web.service", "/opt/%p/a", "disable it first"),
    );
  });

  it("are looked up where systemd looks", (t) => {
    const root = temporaryDirectory(t);
    writeFileSync(`${root}/web`, "");
    const line = `{ path=web ; argv[]=web ; flags= ; ${tail}`;
    const find = () =>
      commandsOf("web.service", [], shown([line], { ExecSearchPath: `/none:${root}` }), false);
    assert.throws(find, refusal("web.service: ExecStart=web", `/none:${root}`));
    chmodSync(`${root}/web`, 0o755);
    assert.equal(find()[0]?.path, `${root}/web`);
    assert.throws(() => commandsOf("web.service", [], shown([line]), false), refusal("/usr/local/sbin"));
  });
});
