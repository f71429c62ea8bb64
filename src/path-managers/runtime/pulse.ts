/** The memory that a thread of path managers shares with the daemon: what it tells without a message, since it may be blocked. */
import { type Clock, every } from "../../base/clock.ts";
import { NetlinkSocket, type OpenTransport } from "../../kernel/netlink/socket.ts";
import { currentThread } from "../../kernel/threads.ts";
import type { HandlerName } from "./api.ts";
import { handlerNames } from "./handler-calls.ts";
import type { HandlerWatch, LoadedPathManager } from "./running-path-manager.ts";

/**
 * Places of the shared memory by which the daemon sees whether the thread is alive, what it is at (`loading`: which of the
 * sources, from 1), what memory it holds beside its objects (MiB), who it is for the kernel, and whether it is in a request to the kernel (1).
 */
export const Pulse = {
  ...{ beats: 0, plugin: 1, event: 2, thread: 3, loading: 4, buffers: 5, request: 6 },
  length: 7,
} as const;

/** The events that `Pulse.event` counts, from 1. */
export const pulseEvents: readonly (HandlerName | "setup" | "endpoints" | "timer")[] = [
  "setup",
  "endpoints",
  "timer",
  ...handlerNames,
];

const MIB = 1024 * 1024;
/** Milliseconds. */
const HEARTBEAT = 250;

/** Shows from now on that this thread is alive. */
export function beginToBeat(pulse: Int32Array, clock: Clock): void {
  Atomics.store(pulse, Pulse.thread, currentThread());
  every(clock, HEARTBEAT, () => beat(pulse));
}

function beat(pulse: Int32Array): void {
  Atomics.store(pulse, Pulse.buffers, Math.round(process.memoryUsage().external / MIB));
  Atomics.add(pulse, Pulse.beats, 1);
}

/** Sockets that mark in the pulse that the kernel has the thread: it may hold whoever sends a request. */
export function openMarked(pulse: Int32Array): OpenTransport {
  return (options) => {
    const socket = NetlinkSocket.open(options);
    const sendNow = socket.sendNow.bind(socket);
    return Object.assign(socket, {
      sendNow: (message: Uint8Array) => {
        Atomics.store(pulse, Pulse.request, 1);
        try {
          sendNow(message);
        } finally {
          Atomics.store(pulse, Pulse.request, 0);
        }
      },
    });
  };
}

/** Shows whose code runs, and for what. */
export function watchIn(pulse: Int32Array, plugins: readonly LoadedPathManager[]): HandlerWatch {
  const names = new Map(plugins.map(({ definition }, index) => [definition.name, index + 1]));
  const events = new Map<string, number>(pulseEvents.map((event, index) => [event, index + 1]));
  return {
    enter(plugin, event) {
      Atomics.store(pulse, Pulse.plugin, names.get(plugin) ?? 0);
      Atomics.store(pulse, Pulse.event, events.get(event) ?? 0);
    },
    leave() {
      Atomics.store(pulse, Pulse.plugin, 0);
    },
  };
}
