import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { builtIn } from "../../../../src/path-managers/built-in/index.ts";
import {
  configurationText,
  hidden,
  Secrets,
  showConfiguration,
  withoutQuotes,
} from "../../../../src/programs/report/secrets.ts";

const show = (text: string, secrets = new Secrets()) => {
  const { sections, unreadableLines } = showConfiguration(Buffer.from(text), builtIn, secrets);
  return { text: configurationText(sections), unreadableLines };
};

describe("a configuration in a report", () => {
  it("shows what mptcpd and its own path managers know", () => {
    const text =
      "[core]\nlog=journal\nplugin-dir=/opt/Plugins\n\n[path lte]\nmatch-interface=wwan*\nflags=subflow,backup\n\n[plugin ndiffports]\nsubflows=2\n";
    assert.equal(show(text).text, text);
  });

  it("shows of other keys what is no secret, and hides the rest", () => {
    const lines = [
      ...["delay=5", "ratio=0.5", "wanted=yes", "peers=10.0.0.1,fd00::/8", "empty=", "ping=3", "hotplug=1"],
      ...[
        "url=https://me@example.org",
        "name=hunter2",
        "hex=dead:beef",
        "api-key=12345",
        "password=yes",
        "pin=1234",
        ...["pin_code=1234", "pincode=1234", "otp=123456", "totp-seed=9", "sim-pin=12", "puk=12345678"],
      ],
    ];
    const expected = [
      ...lines.slice(0, 7),
      ...lines
        .slice(7)
        .map((line) => line.split("=")[0])
        .map((key) => `${key}=${hidden}`),
    ];
    for (const section of ["plugin mine", "other", "plugin mine too"])
      assert.equal(
        show(`[${section}]\n${lines.join("\n")}\n`).text,
        `[${section}]\n${expected.join("\n")}\n`,
      );
    assert.equal(show("[core]\nsecret=hunter2\n").text, `[core]\nsecret=${hidden}\n`);
  });

  it("shows the program of a plugin without its arguments", () => {
    assert.equal(
      show("[plugin a]\nexec=/opt/pm --token hunter2\n").text,
      `[plugin a]\nexec=/opt/pm ${hidden}\n`,
    );
    assert.equal(show("[plugin a]\nexec=/opt/pm\n").text, "[plugin a]\nexec=/opt/pm\n");
    assert.equal(show("[plugin a]\nexec=TOKEN=hunter2 pm\n").text, `[plugin a]\nexec=${hidden}\n`);
  });

  it("leaves out comments, and lines that cannot be read", () => {
    const { text, unreadableLines } = show("# password=hunter2\n[core]\nlog=null\nhunter2\n");
    assert.equal(text, "[core]\nlog=null\n");
    assert.deepEqual(unreadableLines, [4]);
    assert.equal(show("[core]\nplugin-dir=/opt/x # hunter2\n").text, `[core]\nplugin-dir=/opt/x ${hidden}\n`);
  });

  it("is not quoted in what mptcpd says of it", () => {
    assert.equal(
      withoutQuotes('x.conf:2: log: "hun"ter2" is unknown'),
      `x.conf:2: log: "${hidden}" is unknown`,
    );
  });
});

describe("free text in a report", () => {
  it("has no secrets of the configuration", () => {
    const secrets = new Secrets();
    show(
      "[plugin a]\nexec=/opt/pm --user hunter2\nname=correct-horse\nshort=abc\n[core]\nstray-line-99\n",
      secrets,
    );
    assert.equal(
      secrets.apply("a: hello hunter2, correct-horse and stray-line-99; abc"),
      `a: hello ${hidden}, ${hidden} and ${hidden}; abc`,
    );
  });

  it("has nothing that looks like one", () => {
    const lines: readonly (readonly [string, string])[] = [
      ["password=hunter2", `password=${hidden}`],
      ["a passphrase=correct horse battery", `a passphrase=${hidden}`],
      ["the passphrase is correct horse battery", `the passphrase is ${hidden}`],
      ['password="correct horse" next', `password=${hidden} next`],
      ['{"password":"hun\\"ter2","x":1}', `{"password":${hidden},"x":1}`],
      ["login with password hunter2222 failed", `login with password ${hidden} failed`],
      ["password='it's a horse'", `password=${hidden}`],
      ['sent "{\\"password\\": \\"correct horse\\"}"', `sent "{\\"password\\": ${hidden}`],
      ["secret 'correct horse' taken", `secret ${hidden} taken`],
      ["token=abcdefgh ijk", `token=${hidden}`],
      ["pin_code=1234", `pin_code=${hidden}`],
      ["pincode: 1234", `pincode: ${hidden}`],
      ["otp 123456", `otp ${hidden}`],
      ["GET postgres://bob:p@ss@host/db", `GET postgres://${hidden}@host/db`],
      ["GET postgres://bob:p/s@s@host/db", `GET postgres://${hidden}@host/db`],
      ["got AKIAIOSFODNN7EXAMPLE.", `got ${hidden}.`],
      ['"db_password": "hunter2"', `"db_password": ${hidden}`],
      ["the password is hunter2", `the password is ${hidden}`],
      ["the password for the Wi-Fi: correct horse", `the password for the Wi-Fi: ${hidden}`],
      ["the bot's token is 123:horse", `the bot's token is ${hidden}`],
      ["AccountKey=horse==;Suffix=x", `AccountKey=${hidden}`],
      ["auth=hunter2", `auth=${hidden}`],
      ["pw: hunter2", `pw: ${hidden}`],
      ["--auth-token hunter2", `--auth-token ${hidden}`],
      ["GET https://me:hunter2@example.org/x", `GET https://${hidden}@example.org/x`],
      ["GET https://example.org/x?key=hunter2", `GET https://example.org/x?${hidden}`],
      ["Authorization: Bearer hunter2", `Authorization: ${hidden}`],
      ["bearer abcdefghij", `bearer ${hidden}`],
      ["key=hunter2", `key=${hidden}`],
      ["token=hunter2", `token=${hidden}`],
      ["PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", `PrivateKey = ${hidden}`],
      ["got yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", `got ${hidden}`],
      ["-----BEGIN PRIVATE KEY-----abc-----END PRIVATE KEY-----.", `${hidden}.`],
    ];
    for (const [line, expected] of lines) assert.equal(new Secrets().apply(line), expected);
  });

  it("keeps what a log of mptcpd is made of", () => {
    const lines = [
      "notice: ready",
      "endpoint 1 10.0.0.1 dev eth0 subflow: added, usable",
      "subflow create token 84e50ebe 10.0.2.2 id 1 dev eth2 to 10.0.1.1 port 39257",
      "connection 84e50ebe: token=84e50ebe remid=0",
      "warning: /etc/mptcpd/mptcpd.conf:4: prority is not a key of [path x]; did you mean priority?",
      "CPUUsageNSec=18446744073709551615",
      "the password file was read; ping=3, hotplug: 1, mapping: 4",
      "GET http://192.0.2.1:8080/a@b",
      "the token is 84e50ebe, for the key to eth1 is known",
      'unknown key "prority2"',
      "cannot load /usr/lib/x86_64-linux-gnu/mptcpd/wifi-first.js: no default export",
    ];
    for (const line of lines) assert.equal(new Secrets().apply(line), line);
  });
});
