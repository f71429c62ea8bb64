import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Checkpoint } from "../../../../src/control/connections/checkpoint.ts";
import type { Connection } from "../../../../src/control/connections/connection.ts";
import { ConnectionTable, type Facts } from "../../../../src/control/connections/connection-table.ts";
import type { EventOfConnection } from "../../../../src/control/connections/from-events.ts";
import { FakeClock } from "../endpoints/fakes.ts";
import { found } from "./builders.ts";

/** A table whose changes a checkpoint remembers, in a real file. */
export class CheckpointWorld {
  readonly directory = mkdtempSync(join(tmpdir(), "mptcpd-test-"));
  readonly file = join(this.directory, "runtime", "connections");
  readonly clock = new FakeClock();
  readonly warnings: string[] = [];
  /** Whether another mptcpd has the directory by now. */
  isTaken = false;
  readonly table = new ConnectionTable((change) => this.checkpoint.record(change));
  readonly checkpoint = this.another();

  constructor(test: TestContext) {
    test.after(async () => {
      // What is pending is written when the event loop turns.
      await turn();
      this.checkpoint.close();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  /** A world whose file is begun, as a daemon does that finds none. */
  static begun(test: TestContext): CheckpointWorld {
    const world = new CheckpointWorld(test);
    world.checkpoint.load();
    world.checkpoint.begin();
    return world;
  }

  /** What comes after this one, in this boot or in another. */
  another(bootId = "this boot"): Checkpoint {
    const warn = (message: string): void => {
      this.warnings.push(message);
    };
    const isAllowed = () => !this.isTaken;
    const { file, table: connections, clock } = this;
    return new Checkpoint({ file, bootId, connections, warn, isAllowed, clock });
  }

  /** Applies events and writes what is to be remembered of them. */
  apply(...events: readonly EventOfConnection[]): void {
    for (const event of events) this.table.apply(event);
    this.checkpoint.flush();
  }

  /** What a checkpoint remembers that is opened now. */
  facts(given: Parameters<typeof found>[0] = {}, bootId?: string): Facts | undefined {
    const checkpoint = this.another(bootId);
    checkpoint.load();
    const facts = checkpoint.factsOf(found(given));
    return facts && factsOf(facts);
  }

  get text(): string {
    return readFileSync(this.file, "utf8");
  }
}

/** The part of a connection that is remembered. */
export function factsOf({
  serverSide,
  denyJoinId0,
  announced,
  announcedIsComplete,
}: Pick<Connection, keyof Facts>): Facts {
  return { serverSide, denyJoinId0, announced, announcedIsComplete };
}
