import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bar, Screen } from "../../../src/lab/tour/stage.ts";

function outputOf(
  isTTY: boolean,
  tell: (screen: Screen) => void,
  environment: { NO_COLOR?: string } = {},
): string {
  let output = "";
  const write = (text: string) => {
    output += text;
  };
  tell(new Screen({ isTTY, write }, environment));
  return output;
}

describe("the tour's screen", () => {
  it("gives a pipe plain lines, and only those that stay", () => {
    const output = outputOf(false, (screen) => {
      screen.say(screen.bold("a title"));
      screen.show("50 %");
      screen.say(`a ${screen.red("line")}`);
    });
    assert.equal(output, "a title\na line\n");
  });

  it("takes the changing lines off a terminal before it writes others", () => {
    const output = outputOf(true, (screen) => {
      screen.say("first");
      screen.show("10 %", "11 %");
      screen.show("20 %");
      screen.say("last");
      screen.say("done");
    });
    assert.equal(output, "first\n10 %\n11 %\n\x1b[2F\x1b[J20 %\n\x1b[1F\x1b[Jlast\ndone\n");
  });

  it("has colours on a terminal, but for those who set NO_COLOR", () => {
    const tell = (screen: Screen) => screen.say(screen.green("+"));
    assert.equal(outputOf(true, tell), "\x1b[32m+\x1b[0m\n");
    assert.equal(outputOf(true, tell, { NO_COLOR: "1" }), "+\n");
  });
});

describe("a bar", () => {
  it("is as long as its share, to an eighth of a cell", () => {
    assert.equal(bar(0, 4), "····");
    assert.equal(bar(0.5, 4), "██··");
    assert.equal(bar(0.5 + 1 / 32, 4), "██▏·");
    assert.equal(bar(1, 4), "████");
  });

  it("stays within its width", () => {
    assert.equal(bar(1.7, 4), "████");
    assert.equal(bar(-1, 4), "····");
    assert.equal(bar(Number.NaN, 4).length, 4);
  });
});
