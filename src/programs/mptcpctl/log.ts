import { createLogger, type Logger } from "../../base/log/log.ts";
import type { Context } from "./context.ts";

/** What goes wrong inside is said, and nothing else. */
export function warningLogger({ warn }: Context): Logger {
  const write = ({ level, message }: { readonly level: string; readonly message: string }): void => {
    if (level === "warning" || level === "error") warn(message);
  };
  return createLogger({ sink: { write, close: () => undefined }, debug: false });
}
