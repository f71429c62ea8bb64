import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { getSystemErrorMap } from "node:util";
import { codeOf } from "../../base/errors.ts";
import { ConfigError } from "./config.ts";

/** Far more than any mptcpd.conf has; keeps a wrong file from being read for minutes. */
const largest = 1024 * 1024;

/**
 * The contents of a configuration file; undefined if there is none or a link leads nowhere.
 *
 * @throws {ConfigError} if it cannot be read, is no regular file, or everybody may write to it. Other accounts
 * could otherwise steer a daemon that has CAP_NET_ADMIN.
 */
export function readConfigFile(file: string): Uint8Array | undefined {
  let fd: number;
  try {
    // What is checked is what is read: one descriptor. O_NONBLOCK: opening a FIFO must not wait for its writer.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return undefined;
    // A socket cannot be opened; open(2) says ENXIO.
    if (code === "ENXIO") throw notAFile(file);
    throw unreadable(file, error);
  }
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw notAFile(file);
    if ((status.mode & constants.S_IWOTH) !== 0) {
      throw new ConfigError([`${file}: everybody may write to it; take that away with: chmod o-w ${file}`]);
    }
    return readAll(fd, file);
  } catch (error) {
    throw error instanceof ConfigError ? error : unreadable(file, error);
  } finally {
    closeSync(fd);
  }
}

function readAll(fd: number, file: string): Uint8Array {
  const bytes = new Uint8Array(largest + 1);
  let length = 0;
  for (;;) {
    const count = readSync(fd, bytes, length, bytes.length - length, null);
    if (count === 0) return bytes.slice(0, length);
    length += count;
    if (length > largest) throw new ConfigError([`${file}: is larger than 1 MiB; is it the right file?`]);
  }
}

function notAFile(file: string): ConfigError {
  return new ConfigError([`${file}: is not a regular file`]);
}

function unreadable(file: string, error: unknown): ConfigError {
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : 0;
  const reason = getSystemErrorMap().get(errno)?.[1] ?? String(error);
  return new ConfigError([`${file}: cannot be read: ${reason}; let the daemon's user read it, or remove it`]);
}
