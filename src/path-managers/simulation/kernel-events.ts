import type { MptcpEvent, MptcpPm } from "../../kernel/mptcp-pm.ts";
import type { Subscription } from "../../kernel/netlink/connection.ts";
import type { VirtualClock } from "./clock.ts";

type EventListener = Parameters<MptcpPm["events"]>[0];

/** The order in which things happen in the simulated kernel, and who is told of them. */
export class KernelEvents {
  readonly #clock: Pick<VirtualClock, "schedule">;
  #listener: EventListener | undefined;
  #losing = false;
  #outstanding = 0;

  constructor(clock: Pick<VirtualClock, "schedule">) {
    this.#clock = clock;
  }

  /** As MptcpPm.events. */
  events(listener: EventListener): Subscription {
    this.#listener = listener;
    return {
      close: () => {
        if (this.#listener === listener) this.#listener = undefined;
      },
    };
  }

  /** Whether something has happened that nobody was told of yet, or an answer is on its way. */
  get isBusy(): boolean {
    return this.#outstanding > 0;
  }

  /** Loses all events until `overrun`, as a full receive queue does. */
  loseEvents(): void {
    this.#losing = true;
  }

  overrun(): void {
    this.#losing = false;
    this.#listener?.overrun();
  }

  /** Tells whoever listens, in the order of the calls. */
  tell(event: MptcpEvent): void {
    this.later(0, () => {
      if (!this.#losing) this.#listener?.event(event);
    });
  }

  /** Does something when its turn comes, as a message to the kernel does: after all that is due at this moment. */
  inTurn<T>(action: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) =>
      this.later(0, () => {
        try {
          resolve(action());
        } catch (error) {
          reject(error);
        }
      }),
    );
  }

  /** Does something after so many milliseconds; the kernel is busy until then. */
  protected later(milliseconds: number, callback: () => void): void {
    this.#outstanding++;
    this.#clock.schedule(milliseconds, () => {
      this.#outstanding--;
      callback();
    });
  }
}
