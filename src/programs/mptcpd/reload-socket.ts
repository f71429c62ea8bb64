/** The socket at which `mptcpd --reload` asks the running mptcpd for a reload, and what passes over it. */
import { closeSync, constants, lstatSync, openSync, renameSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import * as v from "valibot";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { removeFile } from "../../base/files.ts";

export interface ReloadSocketOptions {
  readonly path: string;
  /** Reloads, when what was asked for before is done. */
  readonly reload: () => Promise<Verdict>;
  /** Told once why the socket cannot be made. */
  readonly warn: (message: string) => void;
  readonly clock: Clock;
  /** Whether the name is ours to take: this process holds the namespace's lock. */
  readonly isAllowed: () => boolean;
}

/** The result of a reload. */
export interface Verdict {
  readonly isInForce: boolean;
  /** Warnings; or why it was refused. */
  readonly lines: readonly string[];
}

/** A name for the socket of that path that is short enough for the kernel, as long as it is open. */
export interface SocketPath {
  readonly name: string;
  close(): void;
}

/** A line that asks for a reload. */
export const RELOAD_REQUEST = "reload\n";

/** Milliseconds that most starts take. */
const SOON = 100;
/** Milliseconds between two looks whether the socket is still there. */
const LOOK_PERIOD = 30_000;
/** Who asks for a reload is root or our own user; others are not let in. */
const OWNER_ONLY = 0o177;
const MOST_CLIENTS = 64;

/**
 * A socket in the runtime directory at which `mptcpd --reload` asks for a reload and gets the verdict. Each reload has
 * its own connection: so no verdict can be mistaken for that of another reload, and the kernel ends the wait if mptcpd
 * ends.
 *
 * The holder of the namespace's lock makes the socket. If that fails, mptcpd works without it and tries again.
 */
export class ReloadSocket {
  readonly #options: ReloadSocketOptions;
  readonly #clients = new Set<Socket>();
  #server: Server | undefined;
  #path: SocketPath | undefined;
  #inode: number | undefined;
  #timer: Timer | undefined;
  #lastProblem: string | undefined;
  #isClosed = false;

  constructor(options: ReloadSocketOptions) {
    this.#options = options;
  }

  /** Makes the socket in a moment, so that no start waits for it, unless `ensure` is called before. */
  ensureSoon(): void {
    this.#timer = this.#options.clock.schedule(SOON, () => this.ensure());
  }

  /** Makes the socket if it is not there: the directory was full, or somebody has cleaned up in it. */
  ensure(): void {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.schedule(LOOK_PERIOD, () => this.ensure());
    if (this.#inode !== undefined && inodeOf(this.#options.path) === this.#inode) return;
    if (this.#options.isAllowed()) this.#listen();
  }

  /** Accepts no more connections. Programs that still wait learn that there is no verdict. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#stopListening();
    for (const client of this.#clients) client.destroy();
  }

  #listen(): void {
    this.#stopListening();
    const { path: file } = this.#options;
    const server = createServer((client) => this.#serve(client)).unref();
    server.maxConnections = MOST_CLIENTS;
    server.on("error", (error) => this.#complain(error));
    const umask = process.umask(OWNER_ONLY);
    // Node removes the name when the server closes, and by then another process may have a socket of that name.
    const temporary = `${file}.new`;
    try {
      // That of an mptcpd that was killed.
      removeFile(temporary);
      this.#path = openSocketPath(temporary);
      // Binds before it returns; what goes wrong comes as an event.
      server.listen(this.#path.name);
      if (server.listening) renameSync(temporary, file);
      this.#inode = server.listening ? inodeOf(file) : undefined;
    } catch (error) {
      this.#complain(error);
    } finally {
      process.umask(umask);
    }
    this.#server = server;
    if (this.#inode !== undefined) this.#lastProblem = undefined;
  }

  #stopListening(): void {
    const { path } = this.#options;
    try {
      if (this.#inode !== undefined && inodeOf(path) === this.#inode) removeFile(path);
    } catch (error) {
      this.#complain(error);
    }
    this.#server?.close();
    this.#server = undefined;
    this.#inode = undefined;
    this.#path?.close();
    this.#path = undefined;
  }

  #complain(error: unknown): void {
    const problem = messageOf(error);
    if (problem === this.#lastProblem) return;
    this.#lastProblem = problem;
    this.#options.warn(
      `cannot make ${this.#options.path} (${problem}): ` +
        "`systemctl reload` fails until mptcpd can make it; SIGHUP works",
    );
  }

  #serve(client: Socket): void {
    this.#clients.add(client.unref());
    let request = "";
    client.setEncoding("utf8");
    client.on("error", () => client.destroy());
    client.on("close", () => this.#clients.delete(client));
    client.on("data", (text: string) => {
      request += text;
      if (request.length < RELOAD_REQUEST.length) return;
      client.removeAllListeners("data").resume();
      if (request === RELOAD_REQUEST) void this.#answer(client);
      else client.destroy();
    });
  }

  async #answer(client: Socket): Promise<void> {
    const verdict = await this.#options.reload();
    if (!client.destroyed) client.end(encodeVerdict(verdict));
  }
}

/** Undefined: that is none, or its end is missing. */
export function decodeVerdict(text: string): Verdict | undefined {
  if (!text.endsWith("\n")) return undefined;
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}

/** Throws the file system's error where the directory cannot be opened. */
export function openSocketPath(path: string): SocketPath {
  if (Buffer.byteLength(path) < LONGEST) return { name: path, close: () => undefined };
  const { O_DIRECTORY, O_RDONLY } = constants;
  const fd = openSync(dirname(path), O_DIRECTORY | O_RDONLY);
  return { name: join(`/proc/self/fd/${fd}`, basename(path)), close: () => closeSync(fd) };
}

/** A verdict as it is sent: JSON in one line. */
function encodeVerdict({ isInForce, lines }: Verdict): string {
  return `${JSON.stringify({ isInForce, lines })}\n`;
}

const schema = v.object({ isInForce: v.boolean(), lines: v.array(v.string()) });

function inodeOf(path: string): number | undefined {
  try {
    return lstatSync(path).ino;
  } catch {
    return undefined;
  }
}

/** Bytes of sun_path in unix(7), the final NUL included. */
const LONGEST = 108;
