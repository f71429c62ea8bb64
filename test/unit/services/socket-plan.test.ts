import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planSocket, type SocketFacts } from "../../../src/services/socket-plan.ts";
import { parseUnitFile } from "../../../src/services/systemd/unit-syntax.ts";
import { refusal } from "./facts.ts";

const fragment = "/lib/systemd/system/web.socket";

function facts(given: Partial<SocketFacts> & { own?: string; later?: string } = {}): SocketFacts {
  const { own = "", later = "", ...rest } = given;
  return {
    unit: {
      name: "web.socket",
      type: "socket",
      template: false,
      templateName: undefined,
      fragment,
      dropIns: [],
    },
    files: {
      fragment,
      assignments: [
        ...parseUnitFile(`[Socket]\nListenStream=80\n${own}\n`, fragment),
        ...parseUnitFile(`[Socket]\n${later}\n`, "/etc/systemd/system/web.socket.d/60-own.conf"),
      ],
    },
    listen: ["[::]:80 (Stream)", "127.0.0.1:81 (Stream)"],
    services: ["web.service"],
    accept: false,
    systemdVersion: 257,
    ...rest,
  };
}

describe("the plan for a socket unit", () => {
  it("has systemd make its sockets MPTCP", () => {
    const { way, section, lines } = planSocket(facts());
    assert.deepEqual([way, section, lines], ["socket", "Socket", ["SocketProtocol=mptcp"]]);
  });

  it("is refused by a systemd before 257, naming the service to enable instead", () => {
    assert.throws(
      () => planSocket(facts({ systemdVersion: 256 })),
      refusal(
        "systemd 256 cannot make MPTCP sockets",
        "needs 257",
        "systemctl disable --now web.socket && mptcpize enable web.service",
      ),
    );
    assert.throws(
      () => planSocket(facts({ systemdVersion: 252, services: [] })),
      refusal("mptcpize enable web.service"),
    );
  });

  it("names no service where systemd accepts the connections: none listens", () => {
    assert.throws(
      () => planSocket(facts({ systemdVersion: 252, services: [], accept: true })),
      (error) => {
        assert.ok(refusal("with Accept=yes no service can listen", "a server that listens by itself")(error));
        assert.doesNotMatch(String(error), /web\.service|systemctl/);
        return true;
      },
    );
  });

  it("is refused where one of the sockets is no stream over IP", () => {
    for (const entry of [
      "/run/web.sock (Stream)",
      "@web (Stream)",
      "[::]:53 (Datagram)",
      "/run/web.fifo (FIFO)",
      "vsock::80 (Stream)",
      "route 1 (Netlink)",
    ])
      assert.throws(() => planSocket(facts({ listen: ["[::]:80 (Stream)", entry] })), refusal(entry), entry);
  });

  it("is refused where the unit has a protocol of its own", () => {
    assert.throws(
      () => planSocket(facts({ own: "SocketProtocol=sctp" })),
      refusal("SocketProtocol=sctp", `${fragment}:3`),
    );
    planSocket(facts({ own: "SocketProtocol=sctp\nSocketProtocol=" }));
  });

  it("is refused where a drop-in that sorts later takes it back", () => {
    assert.throws(() => planSocket(facts({ later: "SocketProtocol=" })), refusal("60-own.conf:2"));
  });
});
