import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createNotifier } from "../../../../src/programs/mptcpd/notify.ts";

function record(environment: Record<string, string>) {
  const sent: string[] = [];
  const notifier = createNotifier({
    environment,
    sendDatagram: (path, data) => sent.push(`${path} ${Buffer.from(data)}`),
    pid: 42,
    now: () => 5_000_999n,
  });
  return { notifier, sent };
}

const intervalOf = (environment: Record<string, string>) =>
  record({ NOTIFY_SOCKET: "/n", ...environment }).notifier.watchdogInterval;

describe("the service manager", () => {
  it("is told what sd_notify(3) defines", () => {
    const { notifier, sent } = record({ NOTIFY_SOCKET: "/run/systemd/notify" });
    notifier.ready();
    notifier.reloading();
    notifier.stopping();
    notifier.watchdog();
    assert.deepEqual(
      sent,
      ["READY=1", "RELOADING=1\nMONOTONIC_USEC=5000", "STOPPING=1", "WATCHDOG=1"].map(
        (text) => `/run/systemd/notify ${text}`,
      ),
    );
  });

  it("is told the status in one line", () => {
    const { notifier, sent } = record({ NOTIFY_SOCKET: "/n" });
    notifier.status("2 endpoints");
    notifier.status("");
    assert.deepEqual(sent, ["/n STATUS=2 endpoints", "/n STATUS="]);
  });

  it("may listen at an abstract socket", () => {
    const { notifier, sent } = record({ NOTIFY_SOCKET: "@name" });
    notifier.ready();
    assert.deepEqual(sent, ["@name READY=1"]);
  });

  it("is told nothing when it did not ask", () => {
    for (const environment of [{}, { NOTIFY_SOCKET: "" }, { NOTIFY_SOCKET: "vsock:2:1" }]) {
      const { notifier, sent } = record({ ...environment, WATCHDOG_USEC: "1000000" });
      notifier.ready();
      notifier.watchdog();
      assert.deepEqual(sent, []);
      assert.equal(notifier.watchdogInterval, undefined);
    }
  });

  it("may be gone without harm", () => {
    const notifier = createNotifier({
      environment: { NOTIFY_SOCKET: "/n" },
      sendDatagram: () => {
        throw new Error("nobody listens");
      },
    });
    notifier.ready();
    notifier.reloading();
  });

  it("is called by the watchdog at half of its time", () => {
    assert.equal(intervalOf({ WATCHDOG_USEC: "30000000" }), 15_000);
    assert.equal(intervalOf({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "42" }), 15_000);
    assert.equal(intervalOf({ WATCHDOG_USEC: "100" }), 1);
    assert.equal(intervalOf({ WATCHDOG_USEC: "999999999999999999" }), 2 ** 31 - 1);
  });

  it("watches nobody without a time, or another process", () => {
    assert.equal(intervalOf({}), undefined);
    assert.equal(intervalOf({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "43" }), undefined);
    for (const value of ["", "0", "-1", "x", "1.5", "99999999999999999999"])
      assert.equal(intervalOf({ WATCHDOG_USEC: value }), undefined);
  });
});
