import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log/log.ts";
import type { Refusal } from "../policy/decision.ts";
import type { DaemonLock } from "./daemon-lock.ts";
import { Ledger } from "./ledger.ts";
import type { NamespaceIdentity } from "./namespace.ts";
import { refusedFile, refusedText } from "./published-state.ts";
import { StateFile, type StateFileOptions, StateJournal } from "./state-file.ts";

const LEDGER_LOST =
  "mptcpd goes on; but if it is killed before it can write that file, the next mptcpd will not know that endpoints " +
  "made from now on are mptcpd's";
const REFUSED_LOST = "`mptcpctl explain` cannot show which commands the kernel refuses";

export interface RuntimeDirectoryOptions {
  readonly directory: string;
  readonly namespace: NamespaceIdentity;
  /** Undefined: only read; nothing is written. */
  readonly lock: DaemonLock | undefined;
  readonly log: Logger;
  readonly clock: Clock;
}

/**
 * The daemon's files in the runtime directory for its network namespace: the lock, the ledger, and files for other
 * programs. Somebody may remove any of them at any time; `restore` makes them again. While another process has the
 * lock, nothing is written.
 */
export class RuntimeDirectory {
  readonly ledger: Ledger;
  readonly #options: RuntimeDirectoryOptions;
  readonly #files: StateFile[] = [];
  #journal: StateJournal | undefined;
  readonly #refused: StateFile;

  constructor(options: RuntimeDirectoryOptions) {
    const { directory, namespace, lock, log } = options;
    this.#options = options;
    this.ledger = new Ledger({
      ...{ directory, namespace, readOnly: lock === undefined },
      warn: (message) => log.warning(message),
      store: (file, wholeText) => {
        const journal = new StateJournal({ ...this.#optionsOf(file, LEDGER_LOST), wholeText });
        this.#journal = journal;
        return journal;
      },
    });
    this.#refused = this.stateFile(refusedFile(directory, namespace), REFUSED_LOST);
    // The files may be from an earlier mptcpd.
    if (lock) this.#refused.remove();
  }

  /**
   * A further file in it.
   *
   * @param consequence what does not work while the file is out of date, for a warning
   */
  stateFile(file: string, consequence: string): StateFile {
    const made = new StateFile(this.#optionsOf(file, consequence));
    this.#files.push(made);
    return made;
  }

  #optionsOf(file: string, consequence: string): StateFileOptions {
    const { log, clock, lock } = this.#options;
    const isAllowed = (): boolean => {
      if (lock === undefined || lock.isInForce) return true;
      setImmediate(() => this.restore());
      return false;
    };
    return { file, consequence, log, clock, isAllowed };
  }

  /** Whether this process is the owner; false if it only reads. */
  get isOurs(): boolean {
    return this.#options.lock?.isInForce === true;
  }

  /** Publishes the commands that the kernel refuses, for `mptcpctl explain`. */
  publishRefusals(refusals: readonly Refusal[]): void {
    if (refusals.length === 0) this.#refused.remove();
    else this.#refused.write(refusedText(this.#options.namespace, refusals));
  }

  /** Takes the lock again if it is gone. @returns whether this process is the owner */
  check(): boolean {
    this.#options.lock?.check();
    return this.isOurs;
  }

  /** Makes files again that somebody has removed. @returns whether this process is the owner */
  restore(): boolean {
    if (!this.check()) return false;
    this.ledger.restore();
    for (const file of this.#files) file.restore();
    return true;
  }

  /** After the lock was taken again: takes over what others recorded meanwhile, and rewrites every file. */
  retake(): void {
    this.ledger.absorb();
    for (const file of this.#files) file.repeat();
  }

  /** Announces that this mptcpd is about to end. */
  announceRelease(): void {
    this.#options.lock?.announceRelease();
  }

  close(): void {
    const { lock } = this.#options;
    if (lock) for (const file of [this.#journal, ...this.#files]) file?.close();
    lock?.release();
  }
}
