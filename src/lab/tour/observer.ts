import type { Host } from "../kit/host.ts";
import type { LabProcess } from "../kit/process.ts";
import { waitFor } from "../kit/wait.ts";
import type { Sight } from "./watch.ts";

const patienceMs = 10_000;

/** What the kernel of a host says, told by a watcher process in it. */
export class Observer {
  readonly #watcher: LabProcess;
  readonly #devices: ReadonlyMap<number, string>;
  readonly #sights: Sight[] = [];

  /** `program` is the command that runs watch(). */
  static async start(host: Host, program: readonly [string, ...string[]], devices: readonly string[]) {
    const [command, ...args] = program;
    const indexes = await Promise.all(devices.map(async (name) => [await host.ifIndex(name), name] as const));
    const observer = new Observer(host.spawn(command, args), new Map(indexes));
    await observer.until("a first look at the kernel", () => true);
    return observer;
  }

  private constructor(watcher: LabProcess, devices: ReadonlyMap<number, string>) {
    this.#watcher = watcher;
    this.#devices = devices;
  }

  get latest(): Sight | undefined {
    this.#read();
    return this.#sights.at(-1);
  }

  /** The first sight since `since` that is as wanted. */
  async until(what: string, isWanted: (sight: Sight) => boolean, since = 0): Promise<Sight> {
    const find = () => {
      this.#read();
      return this.#sights.find((sight) => sight.at >= since && isWanted(sight));
    };
    return waitFor(what, find, { deadlineMs: patienceMs });
  }

  deviceOf(ifIndex: number): string {
    return this.#devices.get(ifIndex) ?? `interface ${ifIndex}`;
  }

  #read(): void {
    for (const line of this.#watcher.lines.slice(this.#sights.length)) {
      if (!line.startsWith("{")) throw new Error(`the watcher says: ${this.#watcher.output}`);
      const sight: Sight = JSON.parse(line);
      this.#sights.push(sight);
    }
  }
}
