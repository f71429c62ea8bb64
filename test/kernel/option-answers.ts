import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { type OptionClass, type OptionRow, optionTable } from "../lab/option-table.ts";
import { source } from "../lab/programs.ts";

const TCP = 6;
const MPTCP = 262;
const ENOPROTOOPT = 92;
const EOPNOTSUPP = 95;
const EINVAL = 22;
const refusals: readonly unknown[] = [ENOPROTOOPT, EOPNOTSUPP];

/** Values are hexadecimal digits with the length that the kernel gave, or an errno. */
type Value = string | number;
type Setting = { value: string; before: Value; error: number; after: Value; protocol: number };
type Answers = { family: number; level: number; number: number; sets: Setting[]; gets: Value[] };

/** The errors of setting each option, LEVEL/NUMBER, by the state of the socket. */
type Errors = Record<string, number>;
type States = Record<string, Errors> & { readonly accepted: Errors };

type Program = "options.py" | "become_tcp.py";

const table = optionTable();
const known = table.map(({ level, number }) => `${level}/${number}`);
const rowOf = ({ level, number }: Answers): OptionRow =>
  table.find((row) => row.level === level && row.number === number) ?? assert.fail();

/** How mptcpize reaches a program. */
export type Way = {
  /** Begins the command. */
  readonly prefix: readonly string[];
  /** Options, by name, whose values refer to what only the program itself knows: the kernel's answer stands. */
  readonly left: readonly string[];
  /** Among the obstacles of become_tcp.py those that are none. */
  readonly surmounted: readonly string[];
};

/** Tests what programs get by a way: inside of describe(). */
export function testAnswers(way: Way): void {
  let lab: Lab;
  let host: Host;
  before(async () => {
    lab = await Lab.create();
    host = await lab.host("one");
    // Behind this link nobody answers.
    await lab.link({ a: [host, "eth0", "192.0.2.2/24"] });
  });
  after(() => lab.close());

  /** What a program of test/lab/programs finds, as it is or by the way. */
  async function found(
    program: Program,
    words: readonly string[],
    prefix: readonly string[] = [],
  ): Promise<unknown> {
    const command = ["-u", "LD_PRELOAD", ...prefix, "python3", "-B", source(program), ...words];
    return JSON.parse(await host.run("env", ...command));
  }
  const plain = (program: Program, word: string) => found(program, [word, String(TCP)]);
  const ours = (program: Program, word: string) => found(program, [word, "0"], way.prefix);

  it("has all that the running kernel refuses in the table", async () => {
    const refused = (await plain("options.py", "refused")) as [number, number][];
    assert.ok(refused.length > 50, `only ${refused.length} are refused`);
    const missing = refused.map((pair) => pair.join("/")).filter((pair) => !known.includes(pair));
    assert.deepEqual(missing, []);
  });

  it("gives TCP's answer or the table's, for each row, family and value, set and read", async () => {
    const [tcp, mptcp, answers] = (await Promise.all([
      found("options.py", ["rows", String(TCP), ...known]),
      found("options.py", ["rows", String(MPTCP), ...known]),
      found("options.py", ["rows", "0", ...known], way.prefix),
    ])) as [Answers[], Answers[], Answers[]];
    const counts = new Map<string, number>();
    const isLeft = ({ name }: OptionRow) => way.left.includes(name);
    for (const [at, answer] of answers.entries()) {
      const row = rowOf(answer);
      const of = { tcp: tcp[at] ?? assert.fail(), mptcp: mptcp[at] ?? assert.fail() };
      for (const [index, actual] of answer.sets.entries()) {
        const kernels = of.mptcp.sets[index];
        const { expected, why } = isLeft(row)
          ? { expected: kernels ?? assert.fail(), why: "left to the kernel" }
          : expectedSetting(row, of.tcp.sets[index], kernels);
        counts.set(why, (counts.get(why) ?? 0) + 1);
        assert.deepEqual(
          untimed(row, actual),
          untimed(row, expected),
          `${row.name}, family ${answer.family}: ${why}`,
        );
      }
      const gets = of.mptcp.gets.map((value, index) =>
        refusals.includes(value) && !isLeft(row) ? of.tcp.gets[index] : value,
      );
      if (!clocks.includes(row.name))
        assert.deepEqual(answer.gets, gets, `${row.name}, family ${answer.family}`);
    }
    // None of the ways to an answer is there for nothing.
    for (const why of ["taken", "TCP's error", "in force", "HINT", "OPTIONAL", "SEMANTIC"])
      assert.ok((counts.get(why) ?? 0) > 5, `${why}: ${counts.get(why)}`);
  });

  it("takes in each state what TCP takes, but for what the class or a connection forbids", async () => {
    const tcp = (await plain("options.py", "states")) as States;
    const kernels = (await found("options.py", ["states", String(MPTCP)])) as States;
    const actual = (await ours("options.py", "states")) as States;
    for (const [state, errors] of Object.entries(actual))
      for (const [option, error] of Object.entries(errors))
        if (tcp[state]?.[option] === 0 && error !== 0)
          assert.ok(mayFail(option, state), `${option}, ${state}: errno ${error}`);
    const mended = Object.entries(actual.accepted).filter(
      ([option, error]) => error === 0 && kernels.accepted[option] === EINVAL,
    );
    assert.ok(mended.length >= 3, `${mended}`);
  });

  it("takes and reads a hint where the program can open no more files", async () => {
    const [set, read, relied, unchanged] = (await ours("options.py", "full")) as unknown[];
    assert.deepEqual([set, read, unchanged], [0, "3c000000:4", "3c000000:4"]);
    assert.ok(refusals.includes(relied), `${relied}`);
  });

  it("takes hints, and reads them as TCP does, also those that were never set", async () => {
    const answers = (await ours("options.py", "hint")) as unknown[];
    assert.deepEqual(
      answers.map((one) => (one === MPTCP ? TCP : one)),
      await plain("options.py", "hint"),
    );
    assert.ok(answers.includes(MPTCP));
  });

  describe("a socket that an option makes TCP has", () => {
    type Facts = { error: number; protocol: number; "same address": boolean };
    let ofOurs: Record<string, Facts>;
    let ofTcp: Record<string, Facts>;
    before(async () => {
      ofOurs = (await ours("become_tcp.py", "changes")) as Record<string, Facts>;
      ofTcp = (await plain("become_tcp.py", "changes")) as Record<string, Facts>;
    });
    const promises = {
      "nothing that it should not have": ["nothing", "nothing-6"],
      "all that was set before, hints too": ["everything", "everything-6"],
      "its port, and SO_REUSEADDR as it was": [
        "bound",
        "bound-any",
        "bound-6",
        "bound-6-any",
        "bound-6-only",
      ],
      "its port that can be reused": ["bound-reusable", "bound-6-reusable"],
      "its address without a port": ["bound-without-port"],
    };
    for (const [promise, names] of Object.entries(promises))
      for (const name of names)
        it(`${promise}: ${name}`, () => {
          const actual = ofOurs[name] ?? assert.fail();
          assert.deepEqual(actual, ofTcp[name]);
          assert.deepEqual([actual.error, actual.protocol, actual["same address"]], [0, TCP, true]);
        });

    it("a port that works as before, and that nobody else can take", async () => {
      const expected = { taken: true, received: "hello", protocols: [TCP, TCP, TCP] };
      assert.deepEqual(await plain("become_tcp.py", "works"), expected);
      assert.deepEqual(await ours("become_tcp.py", "works"), expected);
    });
  });

  describe("the kernel's error stands, and the socket is what it was, where", () => {
    let endings: Record<string, { error: number; protocol: number; same: boolean }>;
    before(async () => {
      endings = (await ours("become_tcp.py", "obstacles")) as typeof endings;
    });
    const promises = {
      "it is in an epoll set": "epoll",
      "it is in an epoll set by a number that was closed": "epoll-former-number",
      "there is a duplicate": "duplicate",
      "it is listening": "listening",
      "it is connected": "connected",
      "it was connected": "ended",
      "it is connecting": "connecting",
      "the program can open no file": "files-0",
      "the program can open one file": "files-1",
      "the program can open two files": "files-2",
      "the program can open three files": "files-3",
      "it sends signals": "signals",
      "the program asked for MPTCP": "asked-for",
    };
    const becomesTcp = (name: string) => {
      const { error, protocol } = endings[name] ?? assert.fail();
      assert.deepEqual([error, protocol], [0, TCP]);
    };
    for (const [promise, name] of Object.entries(promises))
      if (way.surmounted.includes(name)) it(`${promise}: not by this way`, () => becomesTcp(name));
      else
        it(promise, () => {
          assert.deepEqual(endings[name], { error: ENOPROTOOPT, protocol: MPTCP, same: true });
        });

    it("nothing of that is so: it becomes TCP", () => becomesTcp("none"));
  });
}

/** By what the same call has done on a socket of TCP and on one of MPTCP without mptcpize. */
function expectedSetting(
  row: OptionRow,
  tcp: Setting = assert.fail(),
  mptcp: Setting = assert.fail(),
): { expected: Setting; why: string } {
  const { value } = tcp;
  const readAs = (kernels: Value, tcps: Value) => (refusals.includes(kernels) ? tcps : kernels);
  const unchanged: Setting = {
    value,
    before: readAs(mptcp.before, tcp.before),
    error: 0,
    after: readAs(mptcp.after, tcp.before),
    protocol: MPTCP,
  };
  if (!refusals.includes(mptcp.error))
    return {
      why: "taken",
      expected: { ...unchanged, error: mptcp.error, after: readAs(mptcp.after, tcp.after) },
    };
  if (tcp.error !== 0) return { why: "TCP's error", expected: { ...unchanged, error: tcp.error } };
  if (isInForce(row, tcp)) return { why: "in force", expected: unchanged };
  const answer = classFor(row, tcp.after);
  if (answer === "OPTIONAL") return { why: answer, expected: { ...unchanged, error: mptcp.error } };
  if (answer === "SEMANTIC")
    return { why: answer, expected: { ...tcp, before: unchanged.before, protocol: TCP } };
  return { why: answer, expected: { ...unchanged, after: readAs(mptcp.after, tcp.after) } };
}

/** Of these, a connection needs the effect that MPTCP cannot give it: the device, and foreign addresses. */
const ofConnections = ["1/25", "1/62", "0/19", "41/75"];

/** Whether an error is right, though TCP takes the option in that state. */
function mayFail(option: string, state: string): boolean {
  const row = table.find(({ level, number }) => option === `${level}/${number}`);
  const isUnconnected = ["new", "bound"].includes(state);
  if (row?.class === "OPTIONAL") return true;
  const isReliedOn = row?.class === "SEMANTIC" || row?.class === "HINT_EXCEPT_1_255";
  return !isUnconnected && (isReliedOn || ofConnections.includes(option));
}

function isInForce({ name }: OptionRow, { value, before, after }: Setting): boolean {
  if (name === "SO_ATTACH_FILTER" || typeof before !== "string" || before !== after) return false;
  return before === ":0" ? value === "" : true;
}

function classFor(row: OptionRow, after: Value): OptionClass {
  if (row.class !== "HINT_EXCEPT_1_255") return row.class;
  return after === "01000000:4" || after === "ff000000:4" ? "SEMANTIC" : "HINT";
}

/** Have times in them. */
const clocks = ["TCP_TIMESTAMP", "TCP_INFO"];

function untimed({ name }: OptionRow, setting: Setting): Setting {
  return clocks.includes(name) ? { ...setting, before: "a time", after: "a time" } : setting;
}
