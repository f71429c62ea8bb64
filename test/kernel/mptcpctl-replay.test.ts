import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { type Closer, Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { defaultDeadlineMs, within } from "../../src/lab/kit/wait.ts";
import { ctl, program, refuses, words } from "../lab/mptcpctl.ts";

describe("mptcpctl replay", { skip: requires() }, () => {
  const header = '{"recording":"mptcpd","version":1,"time":"2026-11-25T19:00:00.000Z","kernel":"6.18"}\n';
  const end = '{"at":200,"end":true}\n';

  async function world(test: Closer) {
    const lab = await Lab.create(test);
    const host = await lab.host("one");
    const write = (name: string, text: string): string => {
      const file = lab.freshPath(name);
      writeFileSync(file, text);
      return file;
    };
    return { host, write, file: write("recording", header + end) };
  }

  it("runs a module's path manager, with options, and prints what it logs", async (t) => {
    const { host, write, file } = await world(t);
    const module = write(
      "greeter.ts",
      `import { definePathManager, option } from "mptcpd";
       import * as v from "valibot";
       export default definePathManager({
         name: "greeter",
         options: v.object({ whom: v.string(), times: v.optional(option.integer(1, 9), "1") }),
         setup(pm) {
           pm.after(100, () => pm.log.notice(\`hello \${pm.options.whom} \${pm.options.times}\`));
           pm.log.debug("set up");
         },
       });`,
    );
    const replay = `replay ${file} --plugin ${module}`;
    assert.equal(
      await ctl(host, `${replay} --option whom=world`),
      "[    0.100] notice: greeter: hello world 1\n",
    );
    assert.equal(
      await ctl(host, `${replay} --debug -j --option whom=a=b --option times=3`),
      '{"at":0,"level":"debug","message":"greeter: set up"}\n{"at":100,"level":"notice","message":"greeter: hello a=b 3"}\n',
    );
    await refuses(host, replay, 2, /whom/);
    await refuses(
      host,
      `${replay} --option whom=x --option times=10`,
      2,
      'replay: --option times=10: times: "10" is not a whole number from 1 to 9',
    );
    await refuses(
      host,
      `${replay} --option whom=x --option tmes=1`,
      2,
      /^mptcpctl: replay: --option tmes=1: tmes is not a key of .* \(did you mean times\?\)$/m,
    );
    await refuses(host, `${replay} --option whom`, 2, /--option whom is not understood; it is KEY=VALUE/);
  });

  it("goes as fast as it is told to", async (t) => {
    const { host, file } = await world(t);
    const start = performance.now();
    await ctl(host, `replay ${file} --plugin heal --speed 0.5`);
    assert.ok(performance.now() - start >= 400);
    await refuses(host, `replay ${file} --plugin heal --speed 0`, 2, /"0" is not a speed/);
  });

  it("fails when the path manager does", async (t) => {
    const { host, write, file } = await world(t);
    const faulty = `import { definePathManager } from "mptcpd";
      export default definePathManager({ name: "faulty", setup(pm) { pm.every(100, () => { throw new Error("oops"); }); } });`;
    const child = host.spawn(program, words(`replay ${file} --plugin ${write("faulty.mjs", faulty)}`));
    assert.deepEqual(await within("its end", child.exited), { code: 1, signal: null });
    assert.match(
      child.lines[0] ?? "",
      /^\[ {4}0\.100\] error: faulty: timer failed: Error: oops .*; fault 1$/,
    );
    assert.equal(child.lines.at(-1), "mptcpctl: faulty failed 2 times, as its log says");
  });

  it("does not wait for ever for a module that does, and says so", async (t) => {
    const { host, write, file } = await world(t);
    const module = write("endless.mjs", "await new Promise(() => undefined);\n");
    const child = host.spawn(program, words(`replay ${file} --plugin ${module}`));
    const ended = await within("its end", child.exited, defaultDeadlineMs);
    assert.deepEqual(ended, { code: 1, signal: null });
    assert.deepEqual(child.lines, [
      `mptcpctl: cannot load ${module}: ${module} was not loaded in 10 s: an await at its top level does not end`,
    ]);
  });

  it("gives a path manager the same classes as the program has", async (t) => {
    const { host, write, file } = await world(t);
    const module = `import { ConnectionError, definePathManager } from "mptcpd";
      export default definePathManager({ name: "classy", async setup(pm) {
        const error = await pm.withdraw({ token: 1 }, { id: 1 }).catch((error) => error);
        pm.log.notice(error instanceof ConnectionError ? error.code : "another class");
      } });`;
    assert.equal(
      await ctl(host, `replay ${file} --plugin ${write("classy.js", module)}`),
      "[    0.000] notice: classy: ENOTCONN\n",
    );
  });

  it("takes mptcpd's configuration for what it says of addresses", async (t) => {
    const { host, write } = await world(t);
    const link = {
      index: 2,
      name: "eth0",
      altNames: [],
      type: 1,
      flags: "up,running,lowerUp",
      operState: "up",
      master: 0,
    };
    const address = {
      ifIndex: 2,
      family: 4,
      address: "10.0.0.1",
      prefixLength: 24,
      scope: 0,
      flags: "",
      created: 1,
    };
    const network = { links: [link], addresses: [address], defaultRoutes: [], egress: [], formerNames: [] };
    const file = write("recording", `${header}${JSON.stringify({ at: 0, network })}\n${end}`);
    const config = write("mptcpd.conf", "[path eth]\nmatch-interface=eth*\nflags=signal\n");
    assert.equal(
      await ctl(host, `replay ${file} --plugin addr_adv`),
      "[    0.000] wants endpoints: 10.0.0.1 subflow dev eth0\n",
    );
    assert.equal(
      await ctl(host, `replay ${file} --plugin addr_adv --config ${config}`),
      "[    0.000] wants endpoints: 10.0.0.1 signal dev eth0\n",
    );
  });

  it("says what is wrong with what it is given", async (t) => {
    const { host, write, file } = await world(t);
    await refuses(host, "replay --plugin heal", 2, /give one FILE/);
    await refuses(host, `replay ${file}`, 2, /--plugin NAME or --plugin PATH is missing/);
    await refuses(
      host,
      `replay ${file} --plugin fulmesh`,
      2,
      /there is no built-in path manager fulmesh; built in are addr_adv, .*fullmesh/,
    );
    await refuses(host, `replay ${file} --plugin /nowhere.js`, 1, /^mptcpctl: cannot load \/nowhere\.js: /m);
    await refuses(
      host,
      `replay ${file} --plugin ${write("bad.js", "export default 1;")}`,
      1,
      /has no path manager as its default export/,
    );
    await refuses(
      host,
      "replay /nowhere --plugin heal",
      1,
      /^mptcpctl: cannot read \/nowhere: there is no such file$/m,
    );
    const broken = write("broken", `${header}{"at":1,"event":{"event":"closed","token":"x"}}\n${end}`);
    await refuses(
      host,
      `replay ${broken} --plugin heal`,
      1,
      `${broken}:2: event.token: "x" is no token: it has eight hexadecimal digits`,
    );
  });
});
