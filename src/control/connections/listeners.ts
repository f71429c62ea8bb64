import { createServer, type Server } from "node:net";
import { mptcpListen } from "../../kernel/native-sockets.ts";

/** Opens a listening MPTCP socket; port 0 lets the kernel choose one. */
export type Listen = (address: string, port: number) => OpenListener;

export interface OpenListener {
  readonly port: number;
  close(): void;
}

/**
 * The listening sockets behind announced addresses, one for each address and port, open as long as one connection has
 * it announced. Subflows that join need one; they never come out of it, as they go to their connection.
 */
export class Listeners {
  readonly #listen: Listen;
  readonly #open = new Map<string, { readonly listener: OpenListener; users: number }>();

  constructor(listen: Listen = listenForJoins) {
    this.#listen = listen;
  }

  /** Shares the one that is open. Throws SystemError: EADDRINUSE where another program listens, EADDRNOTAVAIL… */
  open(address: string, port: number): OpenListener {
    const key = (chosen: number): string => `${address} ${chosen}`;
    const known = port === 0 ? undefined : this.#open.get(key(port));
    const entry = known ?? { listener: this.#listen(address, port), users: 0 };
    entry.users++;
    const { port: chosen } = entry.listener;
    this.#open.set(key(chosen), entry);
    let isOpen = true;
    return {
      port: chosen,
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        if (--entry.users > 0) return;
        this.#open.delete(key(chosen));
        entry.listener.close();
      },
    };
  }

  get size(): number {
    return this.#open.size;
  }
}

/** A socket of node:net's, which closes it with the thread that it is in. */
function listenForJoins(address: string, port: number): OpenListener {
  const { fd, port: chosen } = mptcpListen({ address, port });
  const server: Server = createServer({ pauseOnConnect: true }, (stranger) => stranger.destroy());
  server.on("error", () => undefined);
  server.listen({ fd }).unref();
  return { port: chosen, close: () => server.close() };
}
