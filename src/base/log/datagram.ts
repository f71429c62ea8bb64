import { messageOf } from "../errors.ts";
import type { Entry, Sink } from "./log.ts";

/** Sends one datagram to the Unix socket at `path`, without blocking; throws an error with a `code`. */
export type SendDatagram = (path: string, data: Uint8Array) => void;

/** Entries as datagrams; those that cannot be sent go to another sink. */
export class DatagramSink implements Sink {
  readonly #name: string;
  readonly #path: string;
  readonly #encode: (entry: Entry) => Uint8Array;
  readonly #send: SendDatagram;
  readonly #fallback: Sink;
  #lost = false;

  constructor(
    name: string,
    path: string,
    encode: (entry: Entry) => Uint8Array,
    send: SendDatagram,
    fallback: Sink,
  ) {
    this.#name = name;
    this.#path = path;
    this.#encode = encode;
    this.#send = send;
    this.#fallback = fallback;
  }

  write(entry: Entry): void {
    try {
      this.#send(this.#path, this.#encode(entry));
      this.#lost = false;
    } catch (error) {
      if (!this.#lost) this.#sayLost(error);
      this.#lost = true;
      this.#fallback.write(entry);
    }
  }

  close(): void {
    this.#fallback.close();
  }

  #sayLost(error: unknown): void {
    const reason = messageOf(error);
    const message = `cannot log to ${this.#name} at ${this.#path}: ${reason}; logging to stderr until it is back`;
    this.#fallback.write({ level: "warning", message, fields: {} });
  }
}
