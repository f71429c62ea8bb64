import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import type { Entry } from "../../../../src/base/log/log.ts";
import {
  budgeted,
  MOST_LINES,
  redirectToLog,
  WINDOW,
} from "../../../../src/path-managers/runtime/log-budget.ts";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";

function bench() {
  const written: Entry[] = [];
  const clock = new VirtualClock();
  const log = budgeted((entry) => written.push(entry), clock, { debug: true });
  return { written, clock, log };
}

const by = (plugin: string) => ({ PLUGIN: plugin });

describe("what path managers log", () => {
  it("is left out where it is too much, and a line says how much", async () => {
    const { written, clock, log } = bench();
    for (let i = 0; i < MOST_LINES + 30; i++) log.info("talk", by("talker"));
    assert.equal(written.length, MOST_LINES);
    await clock.advance(WINDOW);
    assert.deepEqual(written.slice(MOST_LINES), [
      {
        level: "warning",
        message: "talker: 30 lines (info) are left out: of more than 2000 in 10 s",
        fields: by("talker"),
      },
    ]);
    log.info("talk", by("talker"));
    assert.equal(written.length, MOST_LINES + 2);
  });

  it("takes nothing from other plugins, other levels, and what is nobody's", async () => {
    const { written, clock, log } = bench();
    for (let i = 0; i < 2 * MOST_LINES; i++) log.info("talk", by("talker"));
    log.error("fault", by("talker"));
    log.info("word", by("quiet"));
    log.info("a plugin wrote: word");
    assert.deepEqual(
      written.slice(MOST_LINES).map(({ message }) => message),
      ["fault", "word", "a plugin wrote: word"],
    );
    await clock.advance(WINDOW);
    assert.equal(written.length, MOST_LINES + 4);
  });

  it("is told whole where it is little, and nothing is said of it", async () => {
    const { written, clock, log } = bench();
    for (let i = 0; i < MOST_LINES; i++) log.debug("talk", by("talker"));
    await clock.advance(WINDOW);
    assert.equal(written.length, MOST_LINES);
  });

  it("is cut where it is long", () => {
    const { written, log } = bench();
    log.notice("x".repeat(100_000), { PLUGIN: "talker", TEXT: "y".repeat(100_000) });
    const [entry] = written;
    assert.ok(JSON.stringify(entry).length < 40_000);
  });
});

describe("what path managers print", () => {
  it("is logged by the line, at once, and a line without end is left out", () => {
    const { written, log } = bench();
    const stream = new PassThrough();
    redirectToLog(stream, log);
    stream.write("one\ntw");
    stream.write(Buffer.from("o\n"));
    stream.write("x".repeat(100_000));
    stream.write("\nthree\n");
    assert.equal(stream.writableLength, 0);
    assert.equal(stream.readableLength, 0);
    assert.deepEqual(
      written.map(({ message }) => message),
      [
        "a plugin wrote: one",
        "a plugin wrote: two",
        "a plugin wrote a line of more than 16384 characters, which is left out",
        "a plugin wrote: three",
      ],
    );
  });
});
