/**
 * Names are bytes to the kernel, and need not be UTF-8. Here they become text of which the bytes can be told, so that
 * one name is never taken for another.
 */
import { unsafe } from "./text.ts";

/**
 * Bytes as text: UTF-8, where each byte 0x80 to 0xff that is not part of any becomes the half character U+DC80 to
 * U+DCFF (PEP 383). For file names and arguments, which are passed on as they are.
 */
export function textOfBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString();
  if (!text.includes("\ufffd")) return text;
  let whole = "";
  for (let at = 0; at < buffer.length; ) {
    const character = characterAt(buffer, at);
    whole += character ?? String.fromCharCode(ESCAPED_BYTE + (buffer[at] ?? 0));
    at += character === undefined ? 1 : Buffer.byteLength(character);
  }
  return whole;
}

/** The bytes that `textOfBytes` made the text of. */
export function bytesOfText(text: string): Buffer {
  if (!escapedByte.test(text)) return Buffer.from(text);
  const pieces = text.split(/([\udc80-\udcff])/u);
  return Buffer.concat(
    pieces.map((piece) =>
      escapedByte.test(piece) ? Buffer.of(piece.charCodeAt(0) - ESCAPED_BYTE) : Buffer.from(piece),
    ),
  );
}

/**
 * The name of an interface, or another of the kernel's, as it is shown, compared, written into JSON and accepted: what
 * is not printable UTF-8, and the backslash, stands as "\xff", a byte each.
 */
export function nameOfBytes(bytes: Uint8Array): string {
  const text = textOfBytes(bytes);
  return text.replace(unprintable, (character) => {
    const hex = bytesOfText(character).toString("hex");
    return hex.replace(/../g, "\\x$&");
  });
}

/** The bytes of a name that was shown, or typed. A backslash that begins no escape stands for itself. */
export function bytesOfName(name: string): Buffer {
  if (!name.includes("\\")) return bytesOfText(name);
  return bytesOfText(
    name.replace(/\\x(?!00)([\da-f]{2})/gi, (_, digits: string) => {
      const byte = Number.parseInt(digits, 16);
      return String.fromCharCode(byte < 0x80 ? byte : ESCAPED_BYTE + byte);
    }),
  );
}

/** A name character by character, for globs: an escaped one is one character, not four. */
export function charactersOfName(name: string): string {
  return name.includes("\\") ? textOfBytes(bytesOfName(name)) : name;
}

const ESCAPED_BYTE = 0xdc00;
const escapedByte = /[\udc80-\udcff]/u;
const unprintable = new RegExp(`[\\\\\\ufffd]|${unsafe.source}`, "gu");
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The character that begins there, if one does. */
function characterAt(buffer: Buffer, at: number): string | undefined {
  const first = buffer[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    return utf8.decode(buffer.subarray(at, at + length));
  } catch {
    return undefined;
  }
}
