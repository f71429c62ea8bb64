/** What to say of a module that cannot be loaded: what is wrong, and where, which Node does not always tell. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { transform } from "sucrase";
import { messageOf } from "../../base/errors.ts";
import { oneLine } from "../../base/text.ts";

/** "FILE:LINE: what", as far as the place can be found. */
export function describeLoadError(path: string, error: unknown): string {
  const text = oneLine(messageOf(error)).trim();
  // Node and our own hooks name files where these are the matter.
  if (!(error instanceof Error) || text.includes(dirname(path))) return text;
  const isSyntax = error.name === "SyntaxError";
  const place = linkingPlace(error) ?? (isSyntax ? syntaxErrorIn(path) : throwingPlace(error)) ?? path;
  return `${place}: ${text}`;
}

/** Of an import that does not fit, Node puts the line before the stack. */
function linkingPlace({ stack = "" }: Error): string | undefined {
  const [, url = "", line] = /^(file:\/\/[^\n]*?)(?:\?[^\n]*)?:(\d+)\n/.exec(stack) ?? [];
  return line === undefined ? undefined : `${fileURLToPath(url)}:${line}`;
}

function throwingPlace({ stack = "" }: Error): string | undefined {
  const [, url = "", line] = /^ +at .*?(file:\/\/[^\n?]*?)(?:\?[^\n:]*)?:(\d+):\d+\)?$/m.exec(stack) ?? [];
  return line === undefined ? undefined : `${fileURLToPath(url)}:${line}`;
}

/** V8 does not say where a module's syntax is wrong: looks at it, and at what it imports from beside it. */
function syntaxErrorIn(path: string, seen = new Set<string>()): string | undefined {
  if (seen.has(path)) return undefined;
  seen.add(path);
  let code: string;
  try {
    code = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const line = syntaxErrorLine(code, path);
  if (line !== undefined) return `${path}:${line}`;
  for (const [, specifier = ""] of code.matchAll(/(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g)) {
    const place = syntaxErrorIn(join(dirname(path), specifier), seen);
    if (place !== undefined) return place;
  }
  return undefined;
}

/** As a script, which V8 does tell the line of; the transformation keeps lines. */
function syntaxErrorLine(code: string, path: string): number | undefined {
  try {
    const transforms = ["imports", "typescript"] as const;
    const script = transform(code, { transforms: [...transforms], disableESTransforms: true }).code;
    new Script(`async () => {${script}\n}`, { filename: path });
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) return undefined;
    const [, line] = /\((\d+):\d+\)$/.exec(error.message) ?? /^[^\n]*:(\d+)\n/.exec(error.stack ?? "") ?? [];
    return line === undefined ? undefined : Number(line);
  }
}
