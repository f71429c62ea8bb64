import type { Host } from "../../src/lab/kit/host.ts";
import type { Lab } from "../../src/lab/kit/lab.ts";
import type { LabProcess } from "../../src/lab/kit/lab-process.ts";

export type NotifySocket = {
  /** The value of NOTIFY_SOCKET. */
  readonly path: string;
  /** Writes one line for each datagram, its assignments separated by blanks. */
  readonly receiver: LabProcess;
};

/** Stands in for the service manager: receives what a daemon tells it by sd_notify(3). */
export async function listenForNotifications(lab: Lab, host: Host): Promise<NotifySocket> {
  const path = lab.freshPath("notify");
  // Node has no datagram sockets of the Unix kind; perl is part of every Debian.
  const receiver = host.spawn("perl", ["-MSocket", "-e", perlReceiver, path]);
  await receiver.waitForLine(/^listening$/);
  return { path, receiver };
}

const perlReceiver = `
  $| = 1;
  socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, pack_sockaddr_un($ARGV[0])) or die $!;
  print "listening\\n";
  while (defined recv(S, $_, 65536, 0)) { tr/\\n/ /; print "$_\\n" }`;
