/** A request and the kernel's answer to it. */
import { type AttributeNames, attributeAt, attributeNumbered } from "./attribute-names.ts";
import { acknowledgement, acknowledgementAttributes } from "./codecs.ts";
import { type ExtendedAck, KernelError, NetlinkProtocolError, TimeoutError } from "./errors.ts";
import type { Encoder } from "./message-codec.ts";
import {
  align4,
  HEADER_LENGTH,
  littleEndian,
  type NetlinkMessage,
  NLM_F_ACK_TLVS,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
} from "./wire.ts";

export type Request<In = unknown> = {
  /** Completes "cannot …" in errors: "add endpoint 10.0.0.1". A function, if making the text is worth saving. */
  readonly what: string | (() => string);
  /** RTM_GETLINK…, or the number of a generic netlink family. */
  readonly type: number;
  /** NLM_F_CREATE and the like; REQUEST, ACK and DUMP are added. */
  readonly flags?: number;
  readonly body?: Body<In>;
};

/** What a request carries after its header. */
export type Body<In> = {
  readonly encoder: Encoder<In>;
  readonly value: In;
  /** Of a generic family: its version, which the encoder does not know. */
  readonly version?: number;
};

export function body<In>(encoder: Encoder<In>, value: In): Body<In> {
  return { encoder, value };
}

/** What an exchange has to know of its request: the words, and the names of attributes. */
type Asked = {
  readonly what: string | (() => string);
  readonly body?: { readonly encoder: { readonly names: AttributeNames } };
};

/** Gets each message of an answer while its bytes are valid. */
export type Read = (message: NetlinkMessage) => void;

/**
 * One request in flight. It ends when the kernel says so: a command or a look-up with its ack, a dump with DONE, any
 * of them with an error. The caller may have given up before: after fail() it is only waited for.
 */
export class Exchange {
  /** Resolves at the end; rejects at an error, at the deadline, or at fail(). */
  readonly outcome: Promise<void>;
  readonly sequence: number;
  /** NLM_F_DUMP_INTR was seen: what was dumped changed meanwhile, the result may lack or repeat something. */
  interrupted = false;

  readonly #asked: Asked;
  readonly #dump: boolean;
  readonly #read: Read | undefined;
  readonly #onOver: (exchange: Exchange) => void;
  #sent: boolean;
  /** Looks since the kernel was last heard. */
  #looks = 0;
  #resolve: () => void = nothing;
  #reject: (error: unknown) => void = nothing;
  #givenUp = false;

  constructor(
    asked: Asked,
    options: {
      readonly sequence: number;
      readonly sent: boolean;
      readonly dump: boolean;
      readonly read?: Read | undefined;
      /** Called when the kernel is done with the request, or is not expected to be any more. */
      readonly onOver: (exchange: Exchange) => void;
    },
  ) {
    this.sequence = options.sequence;
    this.#asked = asked;
    this.#sent = options.sent;
    this.#dump = options.dump;
    this.#read = options.read;
    this.#onOver = options.onOver;
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** What was asked for, in words. */
  get what(): string {
    const { what } = this.#asked;
    return typeof what === "string" ? what : what();
  }

  /** The request is on its way: from now on the kernel may be late. */
  sent(): void {
    this.#sent = true;
  }

  /** Takes a message of the kernel's answer. */
  take(message: NetlinkMessage): void {
    const { type, flags, input, start, end } = message;
    if (flags & NLM_F_DUMP_INTR) this.interrupted = true;
    try {
      if (type === NLMSG_ERROR && end - start >= 4 && input.view.getInt32(start, littleEndian) === 0) {
        this.#onOver(this);
        this.#resolve();
      } else if (type === NLMSG_ERROR || type === NLMSG_DONE) this.#end(message);
      else if (type !== NLMSG_NOOP) {
        this.#looks = 0;
        if (!this.#givenUp) this.#read?.(message);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  /** Rejects. A dump goes on in the kernel, so it is not over before its DONE comes, or nothing for a deadline. */
  fail(error: unknown): void {
    this.#reject(error);
    this.#givenUp = true;
    if (!this.#dump) this.end();
  }

  /** Nothing more is expected. */
  end(): void {
    this.#onOver(this);
  }

  /** Looks twice in a deadline. Gives up when nothing was heard for one, and an abandoned dump is over then. */
  look(deadline: number): void {
    if (!this.#sent) return;
    this.#looks++;
    if (this.#looks <= 2) return;
    if (this.#givenUp) this.end();
    else {
      this.#looks = 0;
      this.fail(new TimeoutError(this.what, deadline));
    }
  }

  #end(message: NetlinkMessage): void {
    this.end();
    const { errno, extended } = readAck(message, this.#asked.body?.encoder.names);
    if (errno === 0) this.#resolve();
    else this.#reject(new KernelError(this.what, errno, extended));
  }
}

/** The errno, positive, of an NLMSG_ERROR or NLMSG_DONE (0: success) and what the kernel says about it. */
function readAck(
  message: NetlinkMessage,
  names: AttributeNames | undefined,
): { errno: number; extended: ExtendedAck } {
  const { input, type, start, end, flags } = message;
  // A dump that ends well may carry no number; old kernels send DONE with nothing.
  if (end - start < 4) {
    if (type === NLMSG_ERROR)
      throw new NetlinkProtocolError("an error message is cut short", { offset: start, length: end - start });
    return { errno: 0, extended: {} };
  }
  let attributesStart = start + 4;
  // The number in NLMSG_DONE may be a length: only negative ones are errors.
  const errno = Math.max(-input.view.getInt32(start, littleEndian), 0);
  let request: Uint8Array | undefined;
  if (type === NLMSG_ERROR) {
    const { requestLength } = acknowledgement.decode(message);
    // The request is quoted whole: NETLINK_CAP_ACK, which would leave its header only, is not set.
    attributesStart += align4(requestLength);
    request = input.buffer.subarray(start + 4 + HEADER_LENGTH, start + 4 + requestLength);
  }
  if (errno === 0 || (flags & NLM_F_ACK_TLVS) === 0 || attributesStart >= end) return { errno, extended: {} };
  const { message: words, ...where } = acknowledgementAttributes.decode({
    input,
    start: attributesStart,
    end,
  });
  const attribute = request && names && nameAttribute(names, request, where);
  return { errno, extended: { message: words, attribute } };
}

function nameAttribute(
  names: AttributeNames,
  request: Uint8Array,
  where: { offset?: number; missingType?: number; missingNest?: number },
): string | undefined {
  const { offset, missingType, missingNest } = where;
  if (offset !== undefined) return attributeAt(names, request, offset - HEADER_LENGTH);
  if (missingType === undefined) return undefined;
  const nest = missingNest === undefined ? undefined : missingNest - HEADER_LENGTH;
  return attributeNumbered(names, request, missingType, nest);
}

function nothing(): void {}
