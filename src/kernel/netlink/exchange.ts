import type { Clock } from "../../base/clock.ts";
import { type Body, readAck } from "./ack.ts";
import { KernelError, TimeoutError } from "./errors.ts";
import { type NetlinkMessage, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP } from "./wire.ts";

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
