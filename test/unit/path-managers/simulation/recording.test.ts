import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  headerLine,
  itemLine,
  type Recording,
  readRecording,
} from "../../../../src/path-managers/simulation/recording.ts";
import { items } from "./arbitrary-recording.ts";

const header = { time: "2026-11-25T19:00:00.000Z", kernel: "6.18.44" };
const first = headerLine(header);
const end = itemLine({ at: 9000, end: true });

function read(text: string): Promise<Recording> {
  return readRecording(text.match(/[^\n]+/g) ?? [], "a.rec");
}

async function refuses(text: string, message: string | RegExp) {
  await assert.rejects(read(text), (error) => {
    assert.ok(error instanceof Error && "code" in error && error.code === "ERECORDING", String(error));
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

describe("a recording", () => {
  it("is read as it was written", async () => {
    await fc.assert(
      fc.asyncProperty(items, async (written) => {
        const text = first + written.map(itemLine).join("");
        const recording = await read(text);
        assert.deepEqual(recording.header, header);
        assert.deepEqual(recording.items, written);
      }),
      { numRuns: 300 },
    );
  });

  it("is a line of JSON for each thing that happened, which people can read", () => {
    assert.equal(
      first,
      '{"recording":"mptcpd","version":1,"time":"2026-11-25T19:00:00.000Z","kernel":"6.18.44"}\n',
    );
    assert.equal(
      itemLine({ at: 1234.5678, event: { event: "removed", token: 0xebe, remoteId: 4 } }),
      '{"at":1234.568,"event":{"event":"removed","token":"00000ebe","remoteId":4}}\n',
    );
    assert.equal(itemLine({ at: 1, overrun: true }), '{"at":1,"overrun":true}\n');
  });

  it("may end anywhere, as where its recorder was killed", async () => {
    const event = itemLine({ at: 5, event: { event: "closed", token: 1 } });
    const whole = first + event + event + end;
    assert.equal((await read(whole)).isWhole, true);
    for (let length = first.length; length < whole.length - 1; length++) {
      const { items, isWhole } = await read(whole.slice(0, length));
      assert.equal(isWhole, false, `${length}`);
      const lines = whole.slice(first.length, length + 1).split("\n").length - 1;
      assert.equal(items.length, lines, `${length}`);
    }
  });

  it("is refused with the line and the place in it", async () => {
    await refuses("", "a.rec:1: there is no recording in it");
    await refuses("hello\n", "a.rec:1: is no JSON");
    await refuses('{"a":1}\n', "a.rec:1: recording: is no recording of mptcpctl");
    await refuses(
      `${first.replace('"version":1', '"version":2')}`,
      "a.rec:1: version: is 2, and this program knows 1",
    );
    await refuses(`${first}oops\n${end}`, "a.rec:2: is no JSON");
    await refuses(
      `${first}{"at":1}\n${end}`,
      /^a\.rec:2: has none of network, connections, event, .* and end: it is no line/,
    );
    await refuses(`${first}7\n${end}`, /^a\.rec:2: has none of /);
    await refuses(`${first}{"at":-1,"end":true}\n`, /^a\.rec:2: at: /);
    await refuses(
      `${first}${end}{"at":8,"overrun":true}\n`,
      "a.rec:3: at: 8 is earlier than 9000, the line before",
    );
    const event = (text: string) => `${first}{"at":1,"event":${text}}\n`;
    await refuses(event('{"event":"opened"}'), 'a.rec:2: event.event: "opened" is no event');
    await refuses(
      event('{"event":"closed","token":"xyz"}'),
      'a.rec:2: event.token: "xyz" is no token: it has eight hexadecimal digits',
    );
    await refuses(event('{"event":"closed"}'), /^a\.rec:2: event\.token: /);
    await refuses(
      event('{"event":"listenerClosed","family":2,"localAddress":"10.1","localPort":1}'),
      'a.rec:2: event.localAddress: "10.1" is no IP address',
    );
    await refuses(
      event('{"event":"listenerClosed","family":2,"localAddress":"10.0.0.1","localPort":65536}'),
      /^a\.rec:2: event\.localPort: /,
    );
    const link =
      '{"index":1,"name":"lo","altNames":[],"type":772,"flags":"up,shiny","operState":"up","master":0}';
    await refuses(
      `${first}{"at":0,"network":{"links":[${link}],"addresses":[],"defaultRoutes":[],"egress":[],"formerNames":[]}}\n`,
      /^a\.rec:2: network\.links\.0\.flags: "shiny" is no flag: known are up, /,
    );
    await refuses(
      `${first}{"at":0,"connections":[{"token":"00000001"}]}\n`,
      /^a\.rec:2: connections\.0\.socketFamily: /,
    );
  });

  it("may have more in it than this program knows", async () => {
    const { items } = await read(
      `${first}{"at":1,"event":{"event":"closed","token":"00000001","new":1},"x":2}\n`,
    );
    assert.deepEqual(items, [{ at: 1, event: { event: "closed", token: 1 } }]);
  });
});
