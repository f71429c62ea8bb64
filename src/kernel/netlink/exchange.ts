/** A request and the kernel's answer to it. */
import type { Clock } from "../../base/clock.ts";
import { attributes } from "./attributes.ts";
import type { Schema } from "./codec.ts";
import { type ExtendedAck, KernelError, NetlinkProtocolError, TimeoutError } from "./errors.ts";
import { s32, string, u32 } from "./scalars.ts";
import { struct } from "./struct.ts";
import {
  align4,
  HEADER_LENGTH,
  type NetlinkMessage,
  NLM_F_ACK_TLVS,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
} from "./wire.ts";

/**
 * One request in flight. It ends when the kernel says so: a command or a look-up with its ack, a dump with DONE, any
 * of them with an error. The caller may have given up before: after fail() it is only waited for.
 */
export class Exchange {
  /** Resolves at the end; rejects at an error, at the deadline, or at fail(). */
  readonly outcome: Promise<void>;
  /** NLM_F_DUMP_INTR was seen: what was dumped changed meanwhile, the result may lack or repeat something. */
  interrupted = false;

  readonly what: string;
  readonly #body: Body;
  readonly #dump: boolean;
  readonly #read: (message: NetlinkMessage) => void;
  readonly #onOver: () => void;
  readonly #clock: Clock;
  /** When the kernel was last heard, or asked; undefined: it was not asked yet. */
  #heardAt: number | undefined;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #givenUp = false;

  constructor(options: {
    what: string;
    body: Body;
    dump: boolean;
    /** What deadlines go by. */
    clock: Clock;
    read: (message: NetlinkMessage) => void;
    /** Called when the kernel is done with the request, or is not expected to be any more. */
    onOver: () => void;
  }) {
    this.what = options.what;
    this.#body = options.body;
    this.#dump = options.dump;
    this.#clock = options.clock;
    this.#read = options.read;
    this.#onOver = options.onOver;
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The request is on its way: from now on the kernel may be late. */
  sent(): void {
    this.#heardAt ??= this.#clock.now();
  }

  /** Takes a message of the kernel's answer. */
  take(message: NetlinkMessage): void {
    if (message.flags & NLM_F_DUMP_INTR) this.interrupted = true;
    try {
      if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) this.#take(message);
      else if (message.type !== NLMSG_NOOP) {
        this.#heardAt = this.#clock.now();
        if (!this.#givenUp) this.#read(message);
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
    this.#onOver();
  }

  /** Gives up if nothing was heard for so many milliseconds; a dump that was given up is over then. */
  expire(silence: number): void {
    if (this.#heardAt === undefined || this.#clock.now() - this.#heardAt < silence) return;
    if (this.#givenUp) this.end();
    else {
      this.#heardAt = this.#clock.now();
      this.fail(new TimeoutError(this.what, silence));
    }
  }

  #take(message: NetlinkMessage): void {
    this.end();
    const { errno, extended } = readAck(message, this.#body);
    if (errno === 0) this.#resolve();
    else this.#reject(new KernelError(this.what, errno, extended));
  }
}

/** What a request carries after its header, and the schema that names the attribute an error points at. */
export type Body = {
  readonly bytes: Uint8Array;
  readonly schema?: Pick<Schema<unknown>, "attributeAt" | "attributeNumbered">;
};

export function body<Out, In>(schema: Schema<Out, In>, value: In): Body {
  return { bytes: schema.encode(value), schema };
}

/** The payload of NLMSG_ERROR up to the header of the request that it quotes (struct nlmsgerr). */
export const acknowledgement = struct({ error: s32, requestLength: u32 });

/** enum nlmsgerr_attrs. Offsets count from the request's header. */
export const acknowledgementAttributes = attributes({
  message: string(1),
  offset: u32(2),
  missingType: u32(5),
  missingNest: u32(6),
});

/** The errno, positive, of an NLMSG_ERROR or NLMSG_DONE (0: success) and what the kernel says about it. */
function readAck(message: NetlinkMessage, request: Body): { errno: number; extended: ExtendedAck } {
  const { input, start, end, flags } = message;
  // A dump that ends well may carry no number; old kernels send DONE with nothing.
  if (end - start < 4) {
    if (message.type === NLMSG_ERROR)
      throw new NetlinkProtocolError("an error message is cut short", { offset: start, length: end - start });
    return { errno: 0, extended: {} };
  }
  let attributesStart = start + 4;
  let errno = -s32.read(input, start, end);
  if (message.type === NLMSG_ERROR) {
    const { requestLength } = acknowledgement.decode(message);
    // The request is quoted whole: NETLINK_CAP_ACK, which would leave its header only, is not set.
    attributesStart += align4(requestLength);
  } else errno = Math.max(errno, 0); // NLMSG_DONE may carry a length, which is no error.
  if (errno === 0 || (flags & NLM_F_ACK_TLVS) === 0 || attributesStart >= end)
    return { errno: errno === 0 ? 0 : errno, extended: {} };
  const { message: words, ...where } = acknowledgementAttributes.read(input, attributesStart, end);
  return { errno, extended: { message: words, attribute: nameAttribute(request, where) } };
}

function nameAttribute(
  { bytes, schema }: Body,
  where: { offset?: number; missingType?: number; missingNest?: number },
): string | undefined {
  const { offset, missingType, missingNest } = where;
  if (offset !== undefined) return schema?.attributeAt(bytes, offset - HEADER_LENGTH);
  if (missingType === undefined) return undefined;
  const nest = missingNest === undefined ? undefined : missingNest - HEADER_LENGTH;
  return schema?.attributeNumbered(bytes, missingType, nest);
}
