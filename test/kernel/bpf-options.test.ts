import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it, type TestContext } from "node:test";
import { numbersTypes } from "../../src/kernel/bpf/btf.ts";
import { attachOptions, keepOptions } from "../../src/kernel/bpf/option-attachment.ts";
import { getProgram } from "../../src/kernel/bpf/option-programs.ts";
import { keySize, maxSlots, rowSize } from "../../src/kernel/bpf/option-rows.ts";
import { removePinDirectory } from "../../src/kernel/bpf/pins.ts";
import { createMap, createSocketStorage, loadOptionProgram } from "../../src/kernel/bpf/syscalls.ts";
import { Cgroups, cgroupId } from "../../src/kernel/cgroups.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { cleanEnvironment } from "../lab/launcher.ts";
import { type OptionRow, optionTable } from "../lab/option-table.ts";
import { source } from "../lab/programs.ts";

const pins = "/sys/fs/bpf/mptcpize";
const TCP = "6";
const MPTCP = "262";
const ENOPROTOOPT = 92;
const EOPNOTSUPP = 95;
const refusals: readonly unknown[] = [ENOPROTOOPT, EOPNOTSUPP];

/** As test/lab/programs/options.py has them. */
type Value = string | number;
type Setting = { value: string; before: Value; error: number; after: Value };
type Answers = { family: number; level: number; number: number; sets: Setting[]; gets: Value[] };

/** Of these, what is read differs: times that TCP rounds, bits that it combines, and no number. */
const inexact = ["TCP_RTO_MIN_US", "TCP_DELACK_MAX_US", "IPV6_ADDR_PREFERENCES"];
const withoutNumber = ["IPV6_MTU", "IPV6_FLOWLABEL_MGR", "TCP_FASTOPEN_KEY"];

const table = optionTable();
const known = table.map(({ level, number }) => `${level}/${number}`);

const skip = requires({ root: true, tools: ["python3", "mount"] }) || obstacle();

describe("socket options that MPTCP refuses, by bpf", { skip }, () => {
  let cgroup = "";
  before(() => {
    // In the mount namespace of the sandbox.
    assert.equal(spawnSync("mount", ["-t", "bpf", "bpf", "/sys/fs/bpf"]).status, 0);
    cgroup = newCgroup();
  });
  beforeEach(() => {
    attachOptions(cgroup, cgroupId(cgroup));
    keepOptions(new Set([cgroupId(cgroup)]));
  });
  after(() => {
    keepOptions(new Set());
    removePinDirectory();
    rmdirSync(cgroup);
    assert.equal(spawnSync("umount", ["/sys/fs/bpf"]).status, 0);
  });

  type Facts = { inherited: unknown; forgotten: unknown; large: unknown; datagrams: unknown; ends: unknown };
  const inside = (program: string, ...words: string[]) => found(cgroup, program, words);
  const outside = (program: string, ...words: string[]) => found(undefined, program, words);

  it("gives TCP's answer for each hint, and the kernel's or TCP's for each other row", () => {
    const tcp = outside("options.py", "rows", TCP, ...known) as Answers[];
    const mptcp = outside("options.py", "rows", MPTCP, ...known) as Answers[];
    const answers = inside("options.py", "rows", MPTCP, ...known) as Answers[];
    const counts = new Map<string, number>();
    for (const [at, answer] of answers.entries()) {
      const row = rowOf(answer);
      const of = { tcp: tcp[at] ?? assert.fail(), mptcp: mptcp[at] ?? assert.fail() };
      const isNumber = /:4$/.test(`${of.tcp.gets.at(-1)}`);
      if (clocks.includes(row.name) || withoutNumber.includes(row.name)) continue;
      for (const [index, { value, before, error, after }] of answer.sets.entries()) {
        const { why, expected } = expectedSetting(row, of.tcp.sets[index], of.mptcp.sets[index], isNumber);
        counts.set(why, (counts.get(why) ?? 0) + 1);
        if (inexact.includes(row.name)) continue;
        const text = `${row.name}, family ${answer.family}, ${value}: ${why}`;
        assert.deepEqual([before, error, after], expected, text);
      }
      const gets = of.mptcp.gets.map((value, index) => readAs(value, of.tcp.gets[index], isNumber));
      assert.deepEqual(answer.gets, gets, `${row.name}, family ${answer.family}`);
    }
    // None of the ways to an answer is there for nothing.
    for (const why of ["taken", "in force", "hint", "refused"])
      assert.ok((counts.get(why) ?? 0) > 20, `${why}: ${counts.get(why)}`);
  });

  it("takes the times that TCP takes, though they are read as they were set", () => {
    const times = table.filter(({ name }) => /_US$/.test(name)).map((row) => `${row.level}/${row.number}`);
    const errors = (answers: unknown) =>
      (answers as Answers[]).map(({ sets }) => sets.map(({ error }) => error));
    const ours = errors(inside("options.py", "rows", MPTCP, ...times));
    // Older kernels have none of them.
    for (const [at, tcp] of errors(outside("options.py", "rows", TCP, ...times)).entries())
      if (tcp.includes(0)) assert.deepEqual(ours[at], tcp);
  });

  it("takes hints, and reads them as TCP does, also those that were never set", () => {
    const protocol = (value: unknown) => (value === Number(MPTCP) ? Number(TCP) : value);
    const answers = inside("options.py", "hint", MPTCP) as unknown[];
    assert.deepEqual(answers.map(protocol), outside("options.py", "hint", TCP));
  });

  describe("does as TCP", () => {
    let ours: Facts;
    let tcp: Facts;
    before(() => {
      attachOptions(cgroup, cgroupId(cgroup));
      ours = inside("bpf_options.py", MPTCP) as typeof ours;
      tcp = outside("bpf_options.py", TCP) as typeof tcp;
    });
    const promises: Readonly<Record<Exclude<keyof Facts, "ends">, string>> = {
      inherited: "a connection has what its listener was told, and its own from then on",
      forgotten: "nothing is left of a socket that was closed",
      large: "values that are larger than a page",
      datagrams: "sockets of other protocols",
    };
    for (const name of ["inherited", "forgotten", "large", "datagrams"] as const)
      it(promises[name], () => assert.deepEqual(ours[name], tcp[name]));

    it("TTLs of 1 and 255 are the kernel's, as they mean something", () => {
      const refused = [`errno ${EOPNOTSUPP}`, 64];
      const taken = [null, 64];
      assert.deepEqual(ours.ends, [refused, refused, taken, ["errno 22", 64], taken]);
    });

    it("sockets of TCP have TTLs of 1 and 255", () => {
      assert.deepEqual(inside("bpf_options.py", TCP), tcp);
    });
  });

  it("leaves sockets outside of the cgroup to the kernel", () => {
    const { ends } = outside("bpf_options.py", MPTCP) as Facts;
    const refused = [`errno ${EOPNOTSUPP}`, `errno ${EOPNOTSUPP}`];
    assert.deepEqual(ends, [refused, refused, refused, refused, refused]);
  });

  it("answers once in a cgroup below another, and there alone when the other is detached", (t) => {
    const below = newCgroup(t, cgroup);
    attachOptions(below, cgroupId(below));
    const one = found(below, "bpf_options.py", [MPTCP]);
    assert.deepEqual(one, inside("bpf_options.py", MPTCP));
    keepOptions(new Set([cgroupId(below)]));
    assert.deepEqual(found(below, "bpf_options.py", [MPTCP]), one);
    assert.notDeepEqual(inside("bpf_options.py", MPTCP), one);
  });

  it("has two links for a cgroup, however often it is attached, and none of it afterwards", (t) => {
    const other = newCgroup(t);
    const ids = [cgroup, other, cgroup].map((directory) => {
      attachOptions(directory, cgroupId(directory));
      return cgroupId(directory);
    });
    const links = (...of: bigint[]) => of.flatMap((id) => [`getsockopt-${id}`, `setsockopt-${id}`]);
    const programs = ["getsockopt", "setsockopt"];
    assert.deepEqual(readdirSync(pins).sort(), [...programs, ...links(...new Set(ids))].sort());
    keepOptions(new Set([cgroupId(other)]));
    assert.deepEqual(readdirSync(pins).sort(), [...programs, ...links(cgroupId(other))].sort());
    keepOptions(new Set());
    assert.deepEqual(readdirSync(pins), []);
  });

  it("sweeps out the links of a cgroup that ended", () => {
    const ended = newCgroup();
    const id = cgroupId(ended);
    attachOptions(ended, id);
    rmdirSync(ended);
    keepOptions(new Set([cgroupId(cgroup)]));
    assert.deepEqual(
      readdirSync(pins).filter((name) => name.includes(`-${id}`)),
      [],
    );
  });

  it("leaves nothing of a cgroup that cannot be attached", () => {
    keepOptions(new Set());
    assert.throws(() => attachOptions("/proc/self", 1n), { name: "BpfError" });
    assert.deepEqual(readdirSync(pins), []);
  });
});

function rowOf({ level, number }: Answers): OptionRow {
  return table.find((row) => row.level === level && row.number === number) ?? assert.fail();
}

/** Have times in them. */
const clocks = ["TCP_TIMESTAMP", "TCP_INFO"];

/** What is read: where MPTCP refuses, TCP's, if it is a number. */
function readAs(kernels: Value = assert.fail(), tcps: Value = assert.fail(), isNumber: boolean): Value {
  return refusals.includes(kernels) && isNumber ? tcps : kernels;
}

/** By what the same call has done on a socket of TCP and on one of MPTCP without mptcpize. */
function expectedSetting(
  row: OptionRow,
  tcp: Setting = assert.fail(),
  mptcp: Setting = assert.fail(),
  isNumber: boolean,
): { expected: [Value, number, Value]; why: string } {
  const before = readAs(mptcp.before, tcp.before, isNumber);
  const unchanged = (error: number): [Value, number, Value] => [
    before,
    error,
    readAs(mptcp.after, tcp.before, isNumber),
  ];
  if (!refusals.includes(mptcp.error))
    return { why: "taken", expected: [before, mptcp.error, readAs(mptcp.after, tcp.after, isNumber)] };
  const isReadByUs = refusals.includes(mptcp.before) && before !== mptcp.before;
  if (row.class.startsWith("HINT") && !refusals.includes(tcp.error)) {
    if (tcp.error !== 0) return { why: "hint", expected: unchanged(tcp.error) };
    if (row.class === "HINT" || !["01000000:4", "ff000000:4"].includes(`${tcp.after}`))
      return { why: "hint", expected: [before, 0, readAs(mptcp.after, tcp.after, isNumber)] };
  }
  // TCP takes longer values for some, too.
  if (isReadByUs && tcp.error === 0 && tcp.before === tcp.after && `${tcp.value}:4` === tcp.after)
    return { why: "in force", expected: unchanged(0) };
  return { why: "refused", expected: unchanged(mptcp.error) };
}

/** What a program of test/lab/programs writes, in a cgroup. */
function found(cgroup: string | undefined, program: string, words: readonly string[]): unknown {
  const move = cgroup === undefined ? "" : `echo $$ >${join(cgroup, "cgroup.procs")} && `;
  const script = `${move}exec python3 -B "$@"`;
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script, "sh", source(program), ...words], {
    ...{ encoding: "utf8", timeout: 60_000, maxBuffer: 1 << 26, env: cleanEnvironment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

function newCgroup(t?: TestContext, above = new Cgroups().of("self")): string {
  const directory = join(above, `mptcpize-test-${randomUUID()}`);
  mkdirSync(directory);
  t?.after(() => existsSync(directory) && rmdirSync(directory));
  return directory;
}

/** Why this machine takes no such programs: many a container or host refuses them. */
function obstacle(): string | false {
  try {
    new Cgroups();
    const rows = createMap("probe", { keySize, valueSize: rowSize, maxEntries: 1 });
    const storage = createSocketStorage("probe", numbersTypes(maxSlots * 2));
    const program = loadOptionProgram("probe", getProgram({ rows, storage }), "getsockopt");
    for (const fd of [rows, storage, program]) closeSync(fd);
    return false;
  } catch (error) {
    return error instanceof Error && error.message;
  }
}
