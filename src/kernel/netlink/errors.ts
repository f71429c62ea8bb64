import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { codeOf, messageOf } from "../../base/errors.ts";

/**
 * Every error of this layer. `code` is for programs, `message` for people. `retryable`: the same request may
 * succeed when it is made again.
 */
export class NetlinkError extends Error {
  override readonly name: string = "NetlinkError";
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** What the kernel adds to an error (enum nlmsgerr_attrs). */
export type ExtendedAck = {
  message?: string | undefined;
  /** The offending or missing attribute, by its name in the request's schema, such as "address.port". */
  attribute?: string | undefined;
};

/**
 * The kernel refused a request. `message` is whole ("cannot add endpoint 10.0.0.1: limit greater than maximum (8)
 * (ERANGE)"); its pieces are `what` and `reason`.
 */
export class KernelError extends NetlinkError {
  override readonly name = "KernelError";
  /** What was asked for, as in "add endpoint 10.0.0.1". */
  readonly what: string;
  /** The kernel's words if it gave any, else the errno's: "limit greater than maximum (8) (ERANGE)". */
  readonly reason: string;
  /** Positive. */
  readonly errno: number;
  readonly extendedAck: string | undefined;
  readonly attribute: string | undefined;

  constructor(what: string, errno: number, extendedAck: ExtendedAck = {}) {
    const code = errnoName(errno);
    const where = extendedAck.attribute === undefined ? "" : ` at ${extendedAck.attribute}`;
    const reason = `${extendedAck.message ?? `${errnoText(errno)}${where}`} (${code})`;
    super(code, `cannot ${what}: ${reason}`, {
      retryable: code === "EAGAIN" || code === "EBUSY" || code === "EINTR",
    });
    this.what = what;
    this.reason = reason;
    this.errno = errno;
    this.extendedAck = extendedAck.message;
    this.attribute = extendedAck.attribute;
  }
}

/** The kernel's receive queue for this socket overflowed; replies may be lost. Ask again. */
export class OverrunError extends NetlinkError {
  override readonly name = "OverrunError";

  constructor(what: string) {
    super("ENOBUFS", `cannot ${what}: the netlink socket overran and the reply may be lost; ask again`, {
      retryable: true,
    });
  }
}

export class TimeoutError extends NetlinkError {
  override readonly name = "TimeoutError";

  constructor(what: string, milliseconds: number) {
    super("ETIMEDOUT", `cannot ${what}: no answer from the kernel in ${milliseconds} ms`, {
      retryable: true,
    });
  }
}

export class ClosedError extends NetlinkError {
  override readonly name = "ClosedError";

  constructor(what: string) {
    super("ECANCELED", `cannot ${what}: the netlink connection is closed`);
  }
}

export class FamilyNotFoundError extends NetlinkError {
  override readonly name = "FamilyNotFoundError";
  readonly family: string;

  constructor(family: string, cause: unknown) {
    super("ENOENT", `the kernel has no generic netlink family "${family}"`, { cause });
    this.family = family;
  }
}

type Place = { attribute?: string | undefined; offset: number; length: number };

/** Bytes that are not what the protocol promises. `offset` counts from the start of the datagram. */
export class NetlinkProtocolError extends NetlinkError {
  override readonly name = "NetlinkProtocolError";
  readonly attribute: string | undefined;
  readonly offset: number;
  readonly length: number;
  readonly #problem: string;

  constructor(problem: string, place: Place) {
    const name = place.attribute === undefined ? "" : `attribute ${place.attribute}: `;
    super("EBADMSG", `${name}${problem} (at byte ${place.offset}, length ${place.length})`);
    this.#problem = problem;
    this.attribute = place.attribute;
    this.offset = place.offset;
    this.length = place.length;
  }

  /** The same error, seen from the attribute that contains it. */
  within(name: string): NetlinkProtocolError {
    const attribute = this.attribute === undefined ? name : `${name}.${this.attribute}`;
    return new NetlinkProtocolError(this.#problem, { attribute, offset: this.offset, length: this.length });
  }
}

/** A value that its attribute cannot hold. Thrown when encoding, before anything is sent. */
export class NetlinkValueError extends NetlinkError {
  override readonly name = "NetlinkValueError";
  readonly attribute: string;
  readonly #problem: string;

  constructor(attribute: string, problem: string) {
    super("ERR_OUT_OF_RANGE", `attribute ${attribute}: ${problem}`);
    this.attribute = attribute;
    this.#problem = problem;
  }

  within(name: string): NetlinkValueError {
    return new NetlinkValueError(`${name}.${this.attribute}`, this.#problem);
  }
}

const names = new Map(Object.entries(constants.errno).map(([name, errno]) => [errno, name]));
// Two names of one number: the first in the table is not the one that the kernel's documents use.
names.set(constants.errno.EAGAIN, "EAGAIN").set(constants.errno.EOPNOTSUPP, "EOPNOTSUPP");
// include/linux/errno.h: not meant to leave the kernel, and it does.
names.set(524, "ENOTSUPP");

/** "EPERM" for 1; "E4242" for a number without a name here. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? getSystemErrorMap().get(-errno)?.[0] ?? `E${errno}`;
}

/** 1 for "EPERM". Throws RangeError for a name that is none. */
export function errnoOf(name: string): number {
  for (const [errno, known] of names) if (known === name) return errno;
  throw new RangeError(`there is no error ${name}`);
}

function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? "the kernel refused";
}

/** Of a system call on the socket that failed. `what` completes "cannot …". */
export function socketError(what: string, cause: unknown): NetlinkError {
  const code = codeOf(cause) ?? "EIO";
  return new NetlinkError(code, `cannot ${what}: ${messageOf(cause)}`, {
    cause,
    retryable: code === "ENOBUFS" || code === "EAGAIN",
  });
}
