// The JavaScript side of the netlink measurements, in a process of its own so that it runs as the daemon does:
//   listen COUNT     when each of COUNT new IPv4 addresses reached its callback, as `meter listen` says it
//   parse SECONDS    how many messages a second become address objects: "rate"

import { decodeAddressEvent } from "../src/kernel/addresses.ts";
import { addressRequest } from "../src/kernel/messages/rtnetlink.ts";
import { NetlinkSocket } from "../src/kernel/netlink/socket.ts";
import { NLM_F_DUMP, NLM_F_REQUEST } from "../src/kernel/netlink/wire.ts";
import { groups, NETLINK_ROUTE, openRtnetlink, RTM_GETADDR, RTM_NEWADDR } from "../src/kernel/rtnetlink.ts";
import { bytesOf, frame, messages } from "../test/lab/datagram.ts";

const [command, argument] = process.argv.slice(2);
if (command === "listen") listen(Number(argument));
else if (command === "parse") await parse(Number(argument));
else throw new Error("listen COUNT or parse SECONDS");

function listen(count: number): void {
  const heard: bigint[] = [];
  const connection = openRtnetlink();
  connection.subscribe(groups.ipv4Addresses, (message) => {
    const now = process.hrtime.bigint();
    if (message.type !== RTM_NEWADDR) return;
    heard.push(now);
    if (heard.length < count) return;
    process.stdout.write(heard.map((time) => `heard ${time}\n`).join(""));
    connection.close();
  });
  process.stdout.write("ready 0\n");
}

async function parse(seconds: number): Promise<void> {
  const datagrams = await captureAddresses();
  const end = performance.now() + seconds * 1000;
  const begin = performance.now();
  let count = 0;
  while (performance.now() < end) {
    for (const datagram of datagrams) {
      for (const message of messages(datagram)) if (decodeAddressEvent(message)) count++;
    }
  }
  process.stdout.write(`rate ${count / ((performance.now() - begin) / 1000)}\n`);
}

/** The kernel's list of all addresses, as it came: the messages are those of notifications. */
function captureAddresses(): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const datagrams: Uint8Array[] = [];
    const socket = NetlinkSocket.open({
      protocol: NETLINK_ROUTE,
      onOverrun: () => reject(new Error("the receive buffer is too small")),
      onError: reject,
      onReceive(input) {
        const copy = new Uint8Array(bytesOf(input));
        datagrams.push(copy);
        const isLast = [...messages(copy)].some((message) => decodeAddressEvent(message) === undefined);
        if (!isLast) return;
        socket.close();
        resolve(datagrams);
      },
    });
    const header = {
      type: RTM_GETADDR,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      sequence: 1,
      portId: socket.portId,
    };
    socket.sendNow(frame(header, addressRequest.encode({})));
  });
}
