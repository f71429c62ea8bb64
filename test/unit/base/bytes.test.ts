import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  bytesOfName,
  bytesOfText,
  charactersOfName,
  nameOfBytes,
  textOfBytes,
} from "../../../src/base/bytes.ts";
import { escapeControls } from "../../../src/base/text.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const someBytes = fc.oneof(
  fc.uint8Array({ maxLength: 15 }),
  fc.string({ unit: "grapheme", maxLength: 15 }).map((text) => Buffer.from(text)),
  fc.stringMatching(/^[\\x0-9a-f]{0,15}$/).map((text) => Buffer.from(text)),
);

describe("a name of the kernel", () => {
  it("is what it says, if that can be printed", () => {
    for (const name of ["eth0", "wlan-é", "日本", "a:b|c$(d)'\"", "😀"]) {
      assert.equal(nameOfBytes(Buffer.from(name)), name);
      assert.equal(hex(bytesOfName(name)), hex(Buffer.from(name)));
    }
  });

  it("shows each byte that cannot be printed, and the backslash", () => {
    const shown: Readonly<Record<string, string>> = {
      ff80: "\\xff\\x80",
      ff81: "\\xff\\x81",
      "5c786666": "\\x5cxff",
      efbfbd: "\\xef\\xbf\\xbd",
      "1b5b324a": "\\x1b[2J",
      "61e280ae62": "a\\xe2\\x80\\xaeb",
      edb080: "\\xed\\xb0\\x80",
      c3: "\\xc3",
    };
    for (const [bytes, name] of Object.entries(shown)) {
      assert.equal(nameOfBytes(Buffer.from(bytes, "hex")), name);
      assert.equal(hex(bytesOfName(name)), bytes);
    }
  });

  it("is one name's alone: the bytes can be told from it, and no terminal is steered by it", () => {
    fc.assert(
      fc.property(someBytes, (bytes) => {
        fc.pre(!bytes.includes(0));
        const name = nameOfBytes(bytes);
        assert.equal(hex(bytesOfName(name)), hex(bytes));
        assert.equal(nameOfBytes(bytesOfName(name)), name);
        assert.equal(escapeControls(name), name);
        assert.equal(hex(bytesOfText(charactersOfName(name))), hex(bytes));
      }),
    );
  });

  it("may be typed with a backslash that begins no escape", () => {
    assert.equal(hex(bytesOfName("a\\b\\x00\\xg")), hex(Buffer.from("a\\b\\x00\\xg")));
    assert.equal(hex(bytesOfName("\\xFF")), "ff");
  });
});

describe("bytes as text", () => {
  it("are told from it again", () => {
    fc.assert(
      fc.property(someBytes, (bytes) => assert.equal(hex(bytesOfText(textOfBytes(bytes))), hex(bytes))),
    );
  });

  it("are UTF-8 where they are", () => {
    assert.equal(textOfBytes(Buffer.from("x\ufffdé")), "x\ufffdé");
    assert.equal(textOfBytes(Buffer.from("ff78c3a9", "hex")), "\udcffxé");
  });
});
