import assert from "node:assert/strict";
import { chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { run } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { rounds } from "../lab/campaign.ts";
import { launcher } from "../lab/launcher.ts";
import { listeners } from "../lab/mptcpized.ts";
import { nginx } from "../lab/nginx.ts";
import { address, oneLink } from "../lab/one-link.ts";
import { compiledGo, compiledRust, source } from "../lab/programs.ts";
import { ssh, sshd, sshTools } from "../lab/ssh.ts";

const port = 8000;
const peer = `${address}:${port}`;

type Command = readonly string[];
type Place = { readonly from: Host; readonly to: Host; readonly directory: string };

interface Exchange {
  readonly name: string;
  readonly tools: readonly string[];
  readonly server: (place: Place) => Command | Promise<Command>;
  readonly client: (place: Place) => Command | Promise<Command>;
  /** What the client writes, with MPTCP as with TCP. */
  readonly says: RegExp;
  /** TCP, where an option is semantic. */
  readonly protocol?: "MPTCP" | "TCP";
}

const greeter = (): Command =>
  words(`socat TCP4-LISTEN:${port},reuseaddr,fork,ttl=60,mtudiscover=2 SYSTEM:"echo\\ hello"`);

const exchanges: readonly Exchange[] = [
  {
    name: "socat, with a TTL",
    tools: ["socat"],
    server: greeter,
    client: () => words(`socat -u TCP4:${peer},ttl=60,tos=16,mtudiscover=2 -`),
    says: /^hello\n$/,
  },
  {
    name: "Python, with a TTL, quick acknowledgements and sizes of packets",
    tools: ["socat", "python3"],
    server: greeter,
    client: () =>
      python([
        [0, 2, 60],
        [6, 12, 1],
        [0, 10, 2],
      ]),
    says: /^\[60, 1, 2\]\nhello\n$/,
  },
  {
    name: "Python, with a bound of waiting",
    tools: ["socat", "python3"],
    server: greeter,
    client: () => python([[6, 18, 5000]]),
    says: /^\[5000\]\nhello\n$/,
    protocol: "TCP",
  },
  {
    name: "Java, with a traffic class",
    tools: ["socat", "javac"],
    server: greeter,
    client: () => ["java", source("Options.java"), address, String(port)],
    says: /^traffic class 0\ntraffic class 16\nhello\n$/,
  },
  {
    name: "Go, with a TTL",
    tools: ["socat", "go"],
    server: greeter,
    client: async () => [await compiledGo("options", { cgo: false }), peer],
    says: /^ttl 60 discover 1\nhello\n$/,
  },
  {
    name: "Rust, with a TTL",
    tools: ["socat", "rustc"],
    server: greeter,
    client: async () => [await compiledRust("options"), peer],
    says: /^ttl 64\nttl 60\nhello\n$/,
  },
  {
    name: "nginx, with all that its listeners and connections set, and curl",
    tools: ["nginx", "curl"],
    server: nginxWithOptions,
    client: () =>
      words(`curl -sS --tcp-fastopen --tcp-nodelay --keepalive-time 5 --interface eth0 http://${peer}/`),
    says: /^hello$/,
  },
  {
    name: "OpenSSH, with a service class at both ends, keepalives and its own signs of life",
    tools: sshTools,
    server: ({ directory }) =>
      sshd(directory, port, ["IPQoS af21 cs1", "TCPKeepAlive yes", "ClientAliveInterval 5"]),
    client: ({ directory }) => {
      const options = ["IPQoS=af21 cs1", "TCPKeepAlive=yes", "ServerAliveInterval=5", "ConnectTimeout=5"];
      // It complains of an option that it cannot set, and goes on.
      return ["sh", "-c", `exec "$@" 2>&1`, "sh", ...ssh(directory, port, ["echo", "hello"], options)];
    },
    says: /^hello\n$/,
  },
  {
    name: "haproxy, with bounds of waiting, and curl",
    tools: ["haproxy", "curl"],
    server: haproxy,
    client: () => words(`curl -sS http://${peer}/`),
    says: /^hello$/,
    protocol: "TCP",
  },
  {
    name: "PostgreSQL and psql, with keepalives and bounds of waiting",
    tools: ["psql", "setpriv", join(postgresPrograms(), "initdb")],
    server: postgres,
    client: () => [
      ...["psql", "-XAtc", "select 'hello'"],
      `host=${address} port=${port} user=postgres dbname=postgres tcp_user_timeout=5000 keepalives_idle=30`,
    ],
    says: /^hello\n$/,
    protocol: "TCP",
  },
  {
    name: "Redis and its client",
    tools: ["redis-server", "redis-cli"],
    server: () =>
      words(
        `redis-server --bind ${address} --port ${port} --tcp-keepalive 60 --protected-mode no --appendonly no`,
      ).concat("--save", ""),
    client: () => words(`redis-cli -h ${address} -p ${port} echo hello`),
    says: /^hello\n$/,
  },
  {
    name: "Node, with keepalives",
    tools: ["socat"],
    server: greeter,
    client: () => [
      process.execPath,
      "-e",
      `const socket = require("net").connect({ host: "${address}", port: ${port}, keepAlive: true, noDelay: true });
       socket.setKeepAlive(true, 1000).pipe(process.stdout);`,
    ],
    says: /^hello\n$/,
  },
];

// Those that few machines have are left out, but in campaigns: .ci/nightly installs them.
const tried = exchanges.filter(({ tools }) => rounds(!requires({ tools: [...tools] }), true));

describe("mptcpize run, with programs that set socket options", {
  skip: requires({ root: true, tools: ["ss"] }),
}, () => {
  for (const { name, tools, server, client, says, protocol = "MPTCP" } of tried)
    for (const way of ["TCP", "mptcpize"] as const)
      it(`${name}: by ${way}`, { skip: requires({ tools: [...tools] }) }, async (t) => {
        const place = await placeOf(t);
        const starter = way === "TCP" ? [] : [launcher, "run"];
        const [command = "", ...args] = [...starter, ...(await server(place))];
        const serving = place.to.spawn(command, args);
        await waitFor(`a listener of ${command} ${args.join(" ")}`, async () => {
          assert.equal(serving.exit, undefined, serving.output);
          const ports = [...(await listeners(place.to, "mptcp")), ...(await listeners(place.to, "tcp"))];
          return ports.includes(port);
        });
        const [program = "", ...words] = [...starter, ...(await client(place))];
        assert.match(await place.from.run(program, ...words), says, serving.output);
        const spoken = (await capableConnections(place.from)) > 0 ? "MPTCP" : "TCP";
        assert.equal(spoken, way === "TCP" ? "TCP" : protocol, serving.output);
        assert.doesNotMatch(serving.output, /setsockopt/);
        await serving.stop();
      });
});

async function placeOf(t: Closer): Promise<Place> {
  const { lab, from, to } = await oneLink(t);
  for (const host of [from, to]) await host.ip("link set lo up");
  const directory = lab.freshPath("directory");
  mkdirSync(directory);
  return { from, to, directory };
}

/** Connections that this host has begun, and that the server has taken as MPTCP. */
async function capableConnections(host: Host): Promise<number> {
  const table = await host.run("nstat", "-asz", "MPTcpExtMPCapableSYNACKRX");
  return Number(/MPTcpExtMPCapableSYNACKRX\s+(\d+)/.exec(table)?.[1]);
}

/** Sets options (level, name, value), prints them as it reads them, and then what the server sends. */
function python(options: readonly (readonly [number, number, number])[]): Command {
  const program = `
import socket
connection = socket.socket()
options = ${JSON.stringify(options)}
for level, name, value in options: connection.setsockopt(level, name, value)
print([connection.getsockopt(level, name) for level, name, value in options])
connection.connect(("${address}", ${port}))
for level, name, value in options: connection.getsockopt(level, name)
print(connection.makefile().read(), end="")`;
  return ["python3", "-c", program];
}

function nginxWithOptions({ directory }: Place): Command {
  const listen = `listen ${peer} deferred fastopen=16 so_keepalive=30:5:3 rcvbuf=64k sndbuf=64k backlog=64;`;
  const transfers = "tcp_nopush on; tcp_nodelay on; sendfile on; reset_timedout_connection on;";
  return nginx(directory, `${transfers} server { ${listen} location / { return 200 hello; } }`);
}

function haproxy({ directory }: Place): Command {
  const file = join(directory, "haproxy.cfg");
  writeFileSync(
    file,
    `defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
  option tcp-smart-accept
frontend one
  bind ${peer} tcp-ut 10s defer-accept
  http-request set-tos 0x10
  http-request return status 200 content-type text/plain string hello
`,
  );
  return ["haproxy", "-db", "-f", file];
}

/** Of the newest version; Debian has them in no directory of PATH. */
function postgresPrograms(): string {
  const versions = "/usr/lib/postgresql";
  const newest = existsSync(versions) ? readdirSync(versions).sort().at(-1) : undefined;
  return join(versions, newest ?? "none", "bin");
}

/** It refuses to run as root. */
async function postgres({ directory }: Place): Promise<Command> {
  const [uid = "", gid = ""] = (await run("sh", ["-c", "id -u postgres; id -g postgres"])).split("\n");
  const bin = postgresPrograms();
  chownSync(directory, Number(uid), Number(gid));
  const asUser = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const [user = "", ...options] = asUser;
  const data = join(directory, "data");
  await run(user, [
    ...options,
    join(bin, "initdb"),
    "--no-sync",
    "--auth=trust",
    "--username=postgres",
    "-D",
    data,
  ]);
  writeFileSync(join(data, "pg_hba.conf"), "host all all all trust\n");
  const settings = {
    ...{ listen_addresses: address, port, unix_socket_directories: "", fsync: "off" },
    ...{ tcp_user_timeout: 5000, tcp_keepalives_idle: 30 },
  };
  const set = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return [...asUser, join(bin, "postgres"), "-D", data, ...set];
}

function words(line: string): string[] {
  return line.split(/(?<!\\) /).map((word) => word.replace(/\\ /g, " "));
}
