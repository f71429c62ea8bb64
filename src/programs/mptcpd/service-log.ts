import { createLogger, type LogDestination, type Logger, type Sink } from "../../base/log/log.ts";
import { openSink } from "../../base/log/sinks.ts";
import { sendDatagram } from "../../kernel/native-sockets.ts";

/** The log of the service. Its destination may change at a reload, under those who keep the logger. */
export class ServiceLog implements Logger {
  readonly #debug: boolean;
  #sink: Sink;
  #log: Logger;

  constructor(destination: LogDestination, { debug }: { readonly debug: boolean }) {
    this.#debug = debug;
    this.#sink = openSink(destination, { sendDatagram });
    this.#log = createLogger({ sink: this.#sink, debug });
  }

  reopen(destination: LogDestination): void {
    this.#sink.close();
    this.#sink = openSink(destination, { sendDatagram });
    this.#log = createLogger({ sink: this.#sink, debug: this.#debug });
  }

  close(): void {
    this.#sink.close();
  }

  readonly debug: Logger["debug"] = (message, fields) => this.#log.debug(message, fields);
  readonly info: Logger["info"] = (message, fields) => this.#log.info(message, fields);
  readonly notice: Logger["notice"] = (message, fields) => this.#log.notice(message, fields);
  readonly warning: Logger["warning"] = (message, fields) => this.#log.warning(message, fields);
  readonly error: Logger["error"] = (message, fields) => this.#log.error(message, fields);
}
