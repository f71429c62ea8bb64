/** Words with a value that several commands have. */
import { once, readAddress } from "./checks.ts";
import { UsageError } from "./exit.ts";
import { type Keyword, readNumber } from "./words.ts";

export const endpointId = idNamed("endpoint id");
export const addressId = idNamed("address id");

export const port: Keyword<{ port?: number }> = {
  value: "NR",
  read(request, word, { command }) {
    once(command, "port", request.port);
    request.port = readNumber(command, "port", word, 65535);
  },
};

export const dev: Keyword<{ dev?: string }> = {
  value: "NAME",
  read(request, word, { command }) {
    once(command, "dev", request.dev);
    request.dev = word;
  },
};

export const token: Keyword<{ token?: number }> = {
  value: "TOKEN",
  read(request, word, { command }) {
    once(command, "token", request.token);
    const value = tokenOf(word);
    if (value === undefined)
      throw new UsageError(`${command}: "${word}" is no token; it has up to eight hexadecimal digits`);
    request.token = value;
  },
};

/** Stands without a name before it. */
export const address: Keyword<{ address?: string }> = {
  value: "ADDRESS",
  read(request, word, grammar) {
    const canonical = readAddress(word, grammar);
    once(grammar.command, "ADDRESS", request.address);
    request.address = canonical;
  },
};

function idNamed(what: string): Keyword<{ id?: number }> {
  return {
    value: "ID",
    read(request, word, { command }) {
      once(command, "id", request.id);
      request.id = readNumber(command, what, word, 255);
    },
  };
}

/** Tokens are written in hexadecimal, as `monitor` and ss(8) print them. */
export function tokenOf(word: string): number | undefined {
  const digits = /^(?:0x)?([\da-f]{1,8})$/i.exec(word)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}
