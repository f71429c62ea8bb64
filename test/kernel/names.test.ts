import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";

const ctl = join(checkout, "bin/mptcpctl");

/** Two interfaces whose names are not UTF-8, and one whose name looks like the first as it is shown. */
const make = `set -e
for name in '\\377\\200' '\\377\\201' '\\\\xff\\\\x80'; do ip link add name "$(printf "$name")" type veth; done`;

describe("an interface whose name is not UTF-8", { skip: requires() }, () => {
  async function hostOfThree(t: Parameters<typeof Lab.create>[0]) {
    const host = await (await Lab.create(t)).host("one");
    await host.run("sh", "-c", make);
    /** Names the interface by a word that printf writes; the name that is shown for it then. */
    const add = async (address: string, word: string) => {
      await host.run(
        "sh",
        "-c",
        '"$1" endpoint add "$2" dev "$(printf "$3")" subflow',
        "sh",
        ctl,
        address,
        word,
      );
      return host.run("sh", "-c", `"$1" endpoint show | grep "^$2 " | sed 's/.* dev //'`, "sh", ctl, address);
    };
    return { host, add };
  }

  it("is never taken for another: by its bytes, and as it is shown", async (t) => {
    const { host, add } = await hostOfThree(t);
    assert.equal((await add("192.0.2.1", "\\377\\201")).trim(), "\\xff\\x81");
    assert.equal((await add("192.0.2.2", "\\\\xff\\\\x81")).trim(), "\\xff\\x81");
    assert.equal((await add("192.0.2.3", "\\377\\200")).trim(), "\\xff\\x80");
    assert.equal((await add("192.0.2.4", "\\\\x5cxff\\\\x5cx80")).trim(), "\\x5cxff\\x5cx80");
    const rows: unknown = JSON.parse(await host.run(ctl, "-j", "endpoint", "show"));
    assert.ok(Array.isArray(rows));
    assert.deepEqual(
      rows.map(({ dev }) => dev),
      ["\\xff\\x81", "\\xff\\x81", "\\xff\\x80", "\\x5cxff\\x5cx80"],
    );
  });

  it("is refused where a word may mean two", async (t) => {
    const { add } = await hostOfThree(t);
    await assert.rejects(
      add("192.0.2.1", "\\\\xff\\\\x80"),
      /may mean the interface .* or .*; rename one of them/,
    );
  });

  it("is found in another network namespace as well", async (t) => {
    const lab = await Lab.create(t);
    const [here, there] = [await lab.host("here"), await lab.host("there")];
    await there.run("sh", "-c", make);
    const script =
      '"$1" -n "$2" endpoint add 192.0.2.1 dev "$(printf "\\377\\201")" subflow; "$1" -n "$2" endpoint';
    assert.match(await here.run("sh", "-c", script, "sh", ctl, there.namespace), /dev \\xff\\x81 $/m);
  });
});
