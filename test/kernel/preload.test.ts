import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { type Build, compiled, toolsFor } from "../lab/programs.ts";

/** The sanitizer's library, if its tests run; see tools/test.mjs. */
const { MPTCPIZE_ASAN } = process.env;
const library = join(checkout, MPTCPIZE_ASAN === undefined ? "dist" : "dist/asan", "libmptcpwrap.so");

const INET = 2;
const INET6 = 10;
const UNIX = 1;
const STREAM = 1;
const DGRAM = 2;
const RAW = 3;
const SEQPACKET = 5;
const NONBLOCK = 0x800;
const CLOEXEC = 0x80000;
const TCP = 6;
const SCTP = 132;
const MPTCP = 262;

const EPERM = 1;
const EACCES = 13;
const EINVAL = 22;
const EMFILE = 24;
const ENOPROTOOPT = 92;
const EPROTONOSUPPORT = 93;

type Options = {
  variables?: Readonly<Record<string, string>>;
  /** What is preloaded: ours, unless another list is given. */
  libraries?: readonly string[];
  /** What runs the program: a command with its arguments. */
  under?: readonly string[];
  host?: Host;
};

/** Runs test/lab/programs/sockets.c with the library in it; gives the lines of its stdout and stderr. */
type Sockets = (actions: string, options?: Options) => Promise<string[]>;

function socketsOf(build: Build, one: () => Host): Sockets {
  return async (actions, { variables = {}, libraries = [library], under = [], host = one() } = {}) => {
    // Standing first is the sanitizer's condition.
    const preloaded = MPTCPIZE_ASAN === undefined ? libraries : [MPTCPIZE_ASAN, ...libraries];
    const environment = Object.entries({ LD_PRELOAD: preloaded.join(":"), ...variables });
    const program = [await compiled("sockets", build), ...actions.split(" ")];
    const settings = environment.map(([name, value]) => `${name}=${value}`);
    const command = [...under, "env", ...settings, ...program];
    return (await host.run("sh", "-c", 'exec "$@" 2>&1', "sh", ...command)).trim().split("\n");
  };
}

const line = {
  attempt: (type: number, fd: number) =>
    `mptcpwrap: changing socket protocol from 0x0 to 0x106 (IPPROTO_MPTCP) for family 0x2 type 0x${type.toString(16)} fd ${fd}`,
  refusal: (error: number, fd: number) =>
    `mptcpwrap: refused with errno ${error}, keeping socket protocol 0x0 for family 0x2 type 0x1 fd ${fd}`,
};

// The sanitizer is made for glibc.
const libcs: readonly Build[] = MPTCPIZE_ASAN === undefined ? ["glibc", "musl"] : ["glibc"];

for (const libc of libcs) {
  const skip = requires({ tools: [toolsFor.glibc, ...(libc === "musl" ? [toolsFor.musl] : [])] });
  describe(`libmptcpwrap.so in a program of ${libc}`, { skip }, () => {
    let lab: Lab;
    let host: Host;
    before(async () => {
      lab = await Lab.create();
      host = await lab.host("one");
    });
    after(() => lab.close());
    const sockets = socketsOf(libc, () => host);

    const converted: [name: string, family: number, type: number, protocol: number, flags: string][] = [
      ["IPv4 without a protocol", INET, STREAM, 0, ""],
      ["IPv4 with TCP", INET, STREAM, TCP, ""],
      ["IPv6 without a protocol", INET6, STREAM, 0, ""],
      ["IPv6 with TCP", INET6, STREAM, TCP, ""],
      ["with NONBLOCK and CLOEXEC", INET, STREAM | NONBLOCK | CLOEXEC, 0, " nonblock cloexec"],
    ];
    for (const [name, family, type, protocol, flags] of converted) {
      it(`makes MPTCP of a stream socket: ${name}`, async () => {
        assert.deepEqual(await sockets(`socket ${family} ${type} ${protocol}`), [
          `fd 3 protocol ${MPTCP}${flags} errno 999`,
        ]);
      });
    }

    const untouched: [name: string, family: number, type: number, protocol: number][] = [
      ["SCTP", INET, STREAM, SCTP],
      ["UDP", INET, DGRAM, 0],
      ["RAW", INET, RAW, 1],
      ["SEQPACKET", INET, SEQPACKET, 0],
      ["AF_UNIX", UNIX, STREAM, 0],
      ["a family that there is not", 99, STREAM, 0],
      ["bit 0x10 of the type", INET, STREAM | 0x10, 0],
      ["MPTCP", INET, STREAM, MPTCP],
    ];
    for (const [name, family, type, protocol] of untouched) {
      it(`leaves alone: ${name}`, async () => {
        const action = `socket ${family} ${type} ${protocol}`;
        const without = await sockets(action, { libraries: [] });
        // An attempt would be seen, too.
        assert.deepEqual(await sockets(action, { variables: { MPTCPWRAP_DEBUG: "1" } }), without);
      });
    }

    it("gives the error of the plain call for bit 0x100 of the type, after an attempt as upstream's", async () => {
      const variables = { MPTCPWRAP_DEBUG: "1" };
      assert.deepEqual(await sockets(`socket ${INET} ${STREAM | 0x100} 0`, { variables }), [
        line.attempt(0x101, -1),
        `error ${EINVAL}`,
      ]);
    });

    it("gives TCP where net.mptcp.enabled is 0, with errno as it was and no file left open", async () => {
      const without = await lab.host("without");
      await without.sysctl("net.mptcp.enabled", 0);
      const actions = `socket ${INET} ${STREAM} 0 socket ${INET6} ${STREAM} ${TCP} socket ${INET} ${STREAM} 0`;
      assert.deepEqual(
        await sockets(actions, { host: without }),
        [3, 4, 5].map((fd) => `fd ${fd} protocol ${TCP} errno 999`),
      );
    });

    for (const error of [EPERM, EACCES, EINVAL, ENOPROTOOPT, EPROTONOSUPPORT])
      it(`gives TCP where a policy refuses MPTCP with errno ${error}`, async () => {
        const actions = `socket ${INET} ${STREAM} 0 refuse ${MPTCP} ${error} socket ${INET} ${STREAM} 0`;
        assert.deepEqual(await sockets(actions), [
          `fd 3 protocol ${MPTCP} errno 999`,
          `fd 4 protocol ${TCP} errno 999`,
        ]);
      });

    it("gives the error of the plain call where TCP is refused as well", async () => {
      const refusals = `refuse ${MPTCP} ${EPERM} refuse ${TCP} ${EACCES}`;
      assert.deepEqual(await sockets(`${refusals} socket ${INET} ${STREAM} ${TCP}`), [`error ${EACCES}`]);
    });

    it("takes no more files than the plain call does", async () => {
      const actions = `socket ${INET} ${STREAM} 0 socket ${INET} ${STREAM} 0`;
      assert.deepEqual(await sockets(actions, { under: ["prlimit", "--nofile=4"] }), [
        `fd 3 protocol ${MPTCP} errno 999`,
        `error ${EMFILE}`,
      ]);
    });

    it("writes upstream's line for each socket if MPTCPWRAP_DEBUG is set, even to nothing", async () => {
      for (const MPTCPWRAP_DEBUG of ["1", ""])
        assert.deepEqual(
          await sockets(`socket ${INET} ${STREAM | CLOEXEC} 0`, { variables: { MPTCPWRAP_DEBUG } }),
          [line.attempt(0x80001, 3), `fd 3 protocol ${MPTCP} cloexec errno 999`],
        );
    });

    it("writes one line more for a socket that stays TCP, none if that fails too", async () => {
      const actions = `refuse ${MPTCP} ${EPERM} socket ${INET} ${STREAM} 0`;
      const variables = { MPTCPWRAP_DEBUG: "1" };
      assert.deepEqual(
        await sockets(`${actions} refuse 0 ${EACCES} socket ${INET} ${STREAM} 0`, { variables }),
        [
          line.attempt(STREAM, -1),
          line.refusal(EPERM, 3),
          `fd 3 protocol ${TCP} errno 999`,
          line.attempt(STREAM, -1),
          `error ${EACCES}`,
        ],
      );
    });

    it("leaves errno as it was when its lines cannot be written", async () => {
      const actions = `socket ${INET} ${STREAM} 0 refuse ${MPTCP} ${EPERM} socket ${INET} ${STREAM} 0`;
      const under = ["sh", "-c", 'exec "$@" 2>/dev/full', "sh"];
      assert.deepEqual(await sockets(actions, { under, variables: { MPTCPWRAP_DEBUG: "1" } }), [
        `fd 3 protocol ${MPTCP} errno 999`,
        `fd 4 protocol ${TCP} errno 999`,
      ]);
    });

    it("says nothing into a connection that has the number of a closed standard error", async () => {
      const under = ["sh", "-c", 'exec "$@" 2>&-', "sh"];
      assert.deepEqual(
        await sockets(`socket ${INET} ${STREAM} 0`, { under, variables: { MPTCPWRAP_DEBUG: "1" } }),
        [`fd 2 protocol ${MPTCP} errno 999`],
      );
    });

    it("makes TCP of MPTCP, and nothing else, if MPTCPWRAP_OFF is set", async () => {
      const actions = `socket ${INET6} ${STREAM | CLOEXEC} ${MPTCP} socket ${INET} ${STREAM} 0 socket ${INET} ${DGRAM} 0`;
      const variables = { MPTCPWRAP_OFF: "1", MPTCPWRAP_DEBUG: "1" };
      assert.deepEqual(await sockets(actions, { variables }), [
        "mptcpwrap: changing socket protocol from 0x106 to 0x6 (IPPROTO_TCP) for family 0xa type 0x80001 fd 3",
        `fd 3 protocol ${TCP} cloexec errno 999`,
        `fd 4 protocol ${TCP} errno 999`,
        "fd 5 protocol 17 errno 999",
      ]);
    });

    it("gives MPTCP in spite of MPTCPWRAP_OFF where TCP is refused", async () => {
      const actions = `refuse ${TCP} ${EPERM} socket ${INET} ${STREAM} ${MPTCP}`;
      assert.deepEqual(await sockets(actions, { variables: { MPTCPWRAP_OFF: "1" } }), [
        `fd 3 protocol ${MPTCP} errno 999`,
      ]);
    });

    it("serves threads at once, each with its own errno", async () => {
      assert.deepEqual(await sockets("threads 16 500"), ["8000"]);
    });

    it("serves signal handlers and children", async () => {
      const one = `${INET} ${STREAM} 0`;
      assert.deepEqual(await sockets(`signal ${one} fork ${one} socket ${one}`), [
        `fd 3 protocol ${MPTCP} errno 999`,
        `fd 4 protocol ${MPTCP} errno 999`,
        `fd 4 protocol ${MPTCP} errno 999`,
      ]);
    });
  });
}

describe("libmptcpwrap.so among other libraries", { skip: requires({ tools: [toolsFor.glibc] }) }, () => {
  let lab: Lab;
  let host: Host;
  before(async () => {
    lab = await Lab.create();
    host = await lab.host("one");
  });
  after(() => lab.close());
  const sockets = socketsOf("glibc", () => host);
  const plain = `socket ${INET} ${STREAM} 0`;

  it("serves one that makes its socket before ours is set up", async () => {
    const early = await compiled("early", "library");
    // The loader sets the last one up first. Code that is made for the sanitizer runs only after it.
    const orders = MPTCPIZE_ASAN === undefined ? [[library, early]] : [];
    for (const libraries of [[early, library], ...orders])
      assert.deepEqual(await sockets(plain, { libraries }), [
        `early: fd 3 protocol ${MPTCP}`,
        `fd 4 protocol ${MPTCP} errno 999`,
      ]);
  });

  it("calls the next that wraps socket(), and is called by the one before it", async () => {
    const interposer = await compiled("interposer", "library");
    const made = `fd 3 protocol ${MPTCP} errno 999`;
    assert.deepEqual(await sockets(plain, { libraries: [library, interposer] }), [
      `interposer: protocol ${MPTCP}`,
      made,
    ]);
    assert.deepEqual(await sockets(plain, { libraries: [interposer, library] }), [
      "interposer: protocol 0",
      made,
    ]);
  });
});
