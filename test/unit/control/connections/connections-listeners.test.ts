import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { type Listen, Listeners } from "../../../../src/control/connections/listeners.ts";
import { requires } from "../../../../src/lab/kit/requires.ts";

/** Opens what is asked for, a port from 50001 on where none is given, and remembers what is open. */
function listening(): { readonly open: string[]; readonly listen: Listen } {
  const open: string[] = [];
  let last = 50_000;
  const listen: Listen = (address, port) => {
    const chosen = port === 0 ? ++last : port;
    const shown = `${address} ${chosen}`;
    assert.ok(!open.includes(shown), `${shown} is not open yet`);
    open.push(shown);
    return { port: chosen, close: () => open.splice(open.indexOf(shown), 1) };
  };
  return { open, listen };
}

describe("listening sockets", () => {
  it("are one for each place, as long as somebody uses it", () => {
    const { open, listen } = listening();
    const listeners = new Listeners(listen);
    const users = [
      listeners.open("10.0.0.1", 80),
      listeners.open("10.0.0.1", 80),
      listeners.open("10.0.0.1", 81),
      listeners.open("10.0.0.2", 80),
    ];
    assert.deepEqual(
      users.map(({ port }) => port),
      [80, 80, 81, 80],
    );
    assert.deepEqual(open, ["10.0.0.1 80", "10.0.0.1 81", "10.0.0.2 80"]);
    assert.equal(listeners.size, 3);
    users[0]?.close();
    assert.equal(open.length, 3);
    users[1]?.close();
    assert.deepEqual(open, ["10.0.0.1 81", "10.0.0.2 80"]);
    users[2]?.close();
    users[3]?.close();
    assert.deepEqual([open, listeners.size], [[], 0]);
  });

  it("are not closed by who closes twice", () => {
    const { open, listen } = listening();
    const listeners = new Listeners(listen);
    const [first, second] = [listeners.open("10.0.0.1", 80), listeners.open("10.0.0.1", 80)];
    first.close();
    first.close();
    assert.deepEqual(open, ["10.0.0.1 80"]);
    second.close();
    assert.deepEqual(open, []);
  });

  it("at a place that was closed are opened anew", () => {
    const { open, listen } = listening();
    const listeners = new Listeners(listen);
    const former = listeners.open("10.0.0.1", 80);
    former.close();
    listeners.open("10.0.0.1", 80);
    former.close();
    assert.deepEqual(open, ["10.0.0.1 80"]);
    assert.equal(listeners.size, 1);
  });

  it("at any port are another one each, and shared by who then asks for that port", () => {
    const { open, listen } = listening();
    const listeners = new Listeners(listen);
    const [first, second] = [listeners.open("10.0.0.1", 0), listeners.open("10.0.0.1", 0)];
    assert.deepEqual([first.port, second.port], [50_001, 50_002]);
    const third = listeners.open("10.0.0.1", 50_001);
    first.close();
    assert.deepEqual(open, ["10.0.0.1 50001", "10.0.0.1 50002"]);
    third.close();
    second.close();
    assert.deepEqual([open, listeners.size], [[], 0]);
  });

  it("that cannot be opened leave nothing behind", () => {
    const error = new Error("EADDRINUSE");
    let fails = true;
    const { open, listen } = listening();
    const listeners = new Listeners((address, port) => {
      if (fails) throw error;
      return listen(address, port);
    });
    assert.throws(() => listeners.open("10.0.0.1", 80), error);
    assert.equal(listeners.size, 0);
    fails = false;
    listeners.open("10.0.0.1", 80).close();
    assert.deepEqual(open, []);
  });
});

describe("listening sockets of the kernel", { skip: requires() }, () => {
  it("take their place until they are closed, and let nobody in but subflows", async () => {
    const listeners = new Listeners();
    const first = listeners.open("127.0.0.1", 0);
    assert.ok(first.port > 0);
    assert.throws(() => new Listeners().open("127.0.0.1", first.port), { code: "EADDRINUSE" });
    const running = process.getActiveResourcesInfo();
    assert.ok(!running.includes("TCPServerWrap"), "they do not keep the process running");
    const stranger = connect(first.port, "127.0.0.1");
    stranger.resume();
    await once(stranger, "close");
    first.close();
    new Listeners().open("127.0.0.1", first.port).close();
  });
});
