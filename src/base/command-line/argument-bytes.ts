/** The words of the command line, with the bytes that they have. */
import { readFileSync } from "node:fs";
import { textOfBytes } from "../bytes.ts";

/**
 * Without the program's name. Node makes "\ufffd" of what is not UTF-8, so that two names become one word; here they
 * stay apart (bytes.ts).
 */
export function programArguments(
  argv: readonly string[] = process.argv,
  file = "/proc/self/cmdline",
): string[] {
  const words = argv.slice(2);
  if (!words.some((word) => word.includes("\ufffd"))) return words;
  const bytes = readOrNothing(file);
  const all = bytes === undefined ? [] : splitAtNul(bytes);
  const exact = all.slice(-words.length);
  // Whatever else /proc may say.
  const fits = exact.length === words.length && exact.every((word, at) => word.toString() === words[at]);
  return fits ? exact.map(textOfBytes) : words;
}

function splitAtNul(bytes: Buffer): Buffer[] {
  const words: Buffer[] = [];
  for (let start = 0, end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
    words.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return words;
}

function readOrNothing(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
