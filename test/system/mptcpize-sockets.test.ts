import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { newerSystem, newerSystemProblem } from "../lab/downloads.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { dropIn, mptcpize, protocolAt, refuses, text, unitTrees, write } from "./units.ts";

const skip = await systemdProblem();

/** Answers on a TCP port, one process a connection. */
const units = {
  "/etc/systemd/system/echo.socket": "[Socket]\nListenStream=127.0.0.1:5000\nAccept=yes\n",
  "/etc/systemd/system/echo@.service": "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n",
};

describe("mptcpize enable, for sockets of systemd 257 and newer", {
  skip: skip || newerSystemProblem,
}, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await SystemdLab.boot(undefined, { lower: newerSystem });
  });
  after(() => lab.close());

  it("makes systemd listen with MPTCP, and with TCP again", async () => {
    await write(lab, units);
    const trees = await unitTrees(lab);
    await lab.run("systemctl", "start", "echo.socket");
    assert.equal(await protocolAt(lab, 5000), "TCP");
    await mptcpize(lab, "enable", "echo.socket");
    assert.match(text(lab, dropIn("echo.socket")), /^\[Socket\]\nSocketProtocol=mptcp$/m);
    assert.equal(await protocolAt(lab, 5000), "TCP", "not restarted yet");
    await lab.run("systemctl", "restart", "echo.socket");
    assert.equal(await protocolAt(lab, 5000), "MPTCP");
    const talk = "exec 3<>/dev/tcp/127.0.0.1/5000; echo hello >&3; head --lines=1 <&3";
    assert.equal(await lab.run("bash", "-c", talk), "hello\n");
    await mptcpize(lab, "disable", "--now", "echo.socket");
    assert.equal(await protocolAt(lab, 5000), "TCP");
    assert.equal(await unitTrees(lab), trees);
  });

  it("advises only what exists for a service whose connections systemd accepts", async () => {
    await write(lab, units);
    await lab.run("systemctl", "restart", "echo.socket");
    const enabled = await mptcpize(lab, "enable", "echo@.service");
    assert.match(enabled.stderr, /from echo\.socket stay as they are: mptcpize enable echo\.socket$/m);
    assert.match(enabled.stdout, /^it takes effect with the next connection that echo\.socket accepts$/m);
    const talk = "exec 3<>/dev/tcp/127.0.0.1/5000; echo hello >&3; head --lines=1 <&3 >&2";
    await lab.run("bash", "-c", `${talk}; ${lab.mptcpize} status echo@.service echo.socket >/root/status`);
    const problems = text(lab, "/root/status").match(/problem: .*/g);
    assert.deepEqual(problems, ["problem: TCP listeners come from echo.socket: mptcpize enable echo.socket"]);
    await mptcpize(lab, "disable", "echo@.service");
  });

  it("restarts a socket on --now whose service runs", async () => {
    await write(lab, {
      "/etc/systemd/system/busy.socket": "[Socket]\nListenStream=127.0.0.1:5010\n",
      "/etc/systemd/system/busy.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    });
    await lab.run("systemctl", "start", "busy.socket", "busy.service");
    await mptcpize(lab, "enable", "--now", "busy.socket");
    assert.equal(await protocolAt(lab, 5010), "MPTCP");
    assert.equal(await lab.run("systemctl", "is-active", "busy.service"), "active\n");
    await mptcpize(lab, "disable", "--now", "busy.socket");
    assert.equal(await protocolAt(lab, 5010), "TCP");
  });

  it("refuses sockets that cannot be MPTCP, and changes nothing", async () => {
    await write(lab, {
      "/etc/systemd/system/unix.socket": "[Socket]\nListenStream=/run/unix.sock\nService=echo@.service\n",
      "/etc/systemd/system/datagram.socket": "[Socket]\nListenDatagram=127.0.0.1:5020\n",
      "/etc/systemd/system/datagram.service": "[Service]\nExecStart=/bin/cat\n",
      "/etc/systemd/system/sctp.socket":
        "[Socket]\nListenStream=127.0.0.1:5030\nSocketProtocol=sctp\nAccept=yes\n",
      "/etc/systemd/system/sctp@.service": "[Service]\nExecStart=/bin/cat\n",
    });
    const trees = await unitTrees(lab);
    await refuses(lab, ["enable", "unix.socket"], /unix\.socket/);
    await refuses(lab, ["enable", "datagram.socket"], /datagram\.socket.*Datagram/);
    await refuses(lab, ["enable", "sctp.socket"], /SocketProtocol=sctp.*sctp\.socket/);
    assert.equal(await unitTrees(lab), trees);
  });

  it("tells of the socket when the service is enabled", async () => {
    await write(lab, {
      "/etc/systemd/system/told.socket": "[Socket]\nListenStream=127.0.0.1:5040\n",
      "/etc/systemd/system/told.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    });
    await lab.run("systemctl", "start", "told.socket");
    const { stderr } = await mptcpize(lab, "enable", "told.service");
    assert.match(stderr, /told\.socket.*mptcpize enable told\.socket/);
    await mptcpize(lab, "disable", "told.service");
  });
});

describe("mptcpize enable, for sockets of an older systemd", { skip }, () => {
  it("refuses, and names the service to enable instead", async (t) => {
    const lab = await SystemdLab.boot(t);
    const version = Number((await lab.run("systemctl", "--version")).match(/^systemd (\d+)/)?.[1]);
    if (version >= 257) return t.skip("needs a systemd older than 257");
    await write(lab, {
      "/etc/systemd/system/old.socket": "[Socket]\nListenStream=127.0.0.1:5000\n",
      "/etc/systemd/system/old.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    });
    await write(lab, units);
    const trees = await unitTrees(lab);
    await refuses(
      lab,
      ["enable", "echo.socket"],
      /echo\.socket: systemd 25\d cannot make MPTCP sockets.*with Accept=yes no service can listen in its place/,
    );
    await refuses(
      lab,
      ["enable", "old.socket"],
      /old\.socket: systemd 25\d cannot make MPTCP sockets.* && mptcpize enable old\.service/,
    );
    assert.equal(await unitTrees(lab), trees);
  });
});
