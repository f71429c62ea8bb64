// The least that Node does in the place of mptcpd: our addon's sockets, and messages that are made beforehand, so that
// the benchmarks show what the runtime itself takes. floor.c does the same in C, and says what the words mean:
//   floor endpoints           of every interface
//   floor subflows [FROM]
// tools/bench.mjs makes one file of it, as the programs are. Numbers are little-endian, as x86 and ARM have them.

import { addon, type Handle } from "../src/kernel/netlink/addon.ts";

/** linux/netlink.h, linux/genetlink.h. */
const NETLINK_ROUTE = 0;
const NETLINK_GENERIC = 16;
const REQUEST = 1;
const REQUEST_WITH_ACK = 5;
const DUMP = 0x300;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;
const HEADER = 16;
const GENERIC_HEADER = 4;
/** linux/rtnetlink.h, linux/if_addr.h. */
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const ADDRESS_HEADER = 8;
const SCOPE_AT = HEADER + 3;
const INDEX_AT = HEADER + 4;
const IFA_ADDRESS = 1;
const IPV4_ADDRESSES = 5;
const IPV6_ADDRESSES = 9;
/** linux/mptcp.h. */
const COMMANDS = { addAddress: 1, deleteAddress: 2, createSubflow: 10 };
const EVENTS = { created: 1, established: 2, closed: 3 };
const EVENT = { token: 1, remoteAddress: 7, remotePort: 10, flags: 13, serverSide: 18 };
const SERVER_SIDE_FLAG = 2;
/** As many as the kernel takes; their ids are 1 and on. */
const ENDPOINTS = 8;

const { memory, slotSize, table, ...kernel } = addon();
const received = new DataView(memory);
const bytes = new Uint8Array(memory);

type Pm = { readonly family: number; readonly events: number };

/** A socket is closed when its handle is collected as garbage. */
const sockets: Handle[] = [];
const commands = open(NETLINK_GENERIC, answer);
let pm: Pm | undefined;
kernel.netlinkSendNow(
  commands,
  request(16, REQUEST, [3, 1, 0, 0, ...attribute(2, [...Buffer.from("mptcp_pm\0")])]),
);

function answer(at: number): void {
  // All further answers are acknowledgements.
  if (pm !== undefined) return;
  const end = at + received.getUint32(at, true);
  const family = received.getUint16(find(at + HEADER + GENERIC_HEADER, end, 1), true);
  const groups = find(at + HEADER + GENERIC_HEADER, end, 7);
  pm = { family, events: numberOfGroup("mptcp_pm_events", groups) };
  const [what, word] = process.argv.slice(2);
  if (what === "endpoints") followAddresses(pm);
  else followConnections(pm, word);
}

function numberOfGroup(name: string, groups: number): number {
  const end = groups - 4 + received.getUint16(groups - 4, true);
  for (let at = groups; at < end; at += aligned(received.getUint16(at, true))) {
    const endOfGroup = at + received.getUint16(at, true);
    const place = find(at + 4, endOfGroup, 1);
    const text = Buffer.from(memory, place, received.getUint16(place - 4, true) - 5).toString();
    if (text === name) return received.getUint32(find(at + 4, endOfGroup, 2), true);
  }
  throw new Error(`the kernel has no group ${name}`);
}

function followAddresses({ family }: Pm): void {
  const nested = (list: number[]) => attribute(1 | NESTED, list);
  const id = attribute(2, [0]);
  const rest = [...id, ...attribute(6, [2, 0, 0, 0]), ...attribute(7, u32(0))];
  const add = (addressFamily: number, type: number, length: number) =>
    request(family, REQUEST_WITH_ACK, [
      ...[COMMANDS.addAddress, 1, 0, 0],
      ...nested([...attribute(1, u16(addressFamily)), ...rest, ...attribute(type, Array(length).fill(0))]),
    ]);
  const additions = { 4: add(2, 3, 4), 16: add(10, 4, 16) };
  const addedIdAt = HEADER + GENERIC_HEADER + 4 + 8 + 4;
  const indexAt = HEADER + GENERIC_HEADER + 4 + 3 * 8 + 4;
  const addressAt = HEADER + GENERIC_HEADER + 4 + 4 * 8 + 4;
  const deletion = request(family, REQUEST_WITH_ACK, [COMMANDS.deleteAddress, 1, 0, 0, ...nested(id)]);
  const deletedIdAt = HEADER + GENERIC_HEADER + 4 + 4;

  /** By id; of an id that is free, empty. */
  const endpoints = Array.from({ length: ENDPOINTS + 1 }, () => new Uint8Array(0));
  const events = open(NETLINK_ROUTE, (at, type) => {
    if (type !== RTM_NEWADDR && type !== RTM_DELADDR) return;
    if (bytes[at + SCOPE_AT] !== 0) return;
    const place = find(at + HEADER + ADDRESS_HEADER, at + received.getUint32(at, true), IFA_ADDRESS);
    const length = received.getUint16(place - 4, true) - 4;
    const known = endpoints.findIndex((one) => one.length === length && isAt(one, place));
    if (type === RTM_NEWADDR && known < 0) {
      const free = endpoints.findIndex((one, number) => number > 0 && one.length === 0);
      if (free < 0) return;
      const message = length === 4 ? additions[4] : additions[16];
      for (let i = 0; i < length; i++) message[addressAt + i] = bytes[place + i] ?? 0;
      message[addedIdAt] = free;
      message.set(bytes.subarray(at + INDEX_AT, at + INDEX_AT + 4), indexAt);
      kernel.netlinkSendNow(commands, message);
      endpoints[free] = bytes.slice(place, place + length);
    } else if (type === RTM_DELADDR && known > 0) {
      const message = deletion.slice();
      message[deletedIdAt] = known;
      // It holds its sender for long. The id is taken until the kernel has done it.
      kernel.netlinkSend(commands, message, () => {
        endpoints[known] = new Uint8Array(0);
      });
    }
  });
  join(events, IPV4_ADDRESSES);
  join(events, IPV6_ADDRESSES);
  kernel.netlinkSendNow(events, request(RTM_GETADDR, REQUEST | DUMP, Array(ADDRESS_HEADER).fill(0)));
}

function followConnections({ family, events: group }: Pm, from: string | undefined): void {
  const ipv4 = attribute(1, u16(2));
  const local = [...ipv4, ...attribute(2, [1]), ...attribute(3, (from ?? "0.0.0.0").split(".").map(Number))];
  const remote = [...ipv4, ...attribute(3, [0, 0, 0, 0]), ...attribute(5, [0, 0])];
  const creation = request(family, REQUEST_WITH_ACK, [
    ...[COMMANDS.createSubflow, 1, 0, 0],
    ...attribute(4, u32(0)),
    ...attribute(1 | NESTED, local),
    ...attribute(6 | NESTED, remote),
  ]);
  const fields = new DataView(creation.buffer);
  const tokenAt = HEADER + GENERIC_HEADER + 4;
  const remoteAt = creation.length - 12;
  const portAt = creation.length - 4;
  let created = 0;
  let closed = 0;
  const events = open(NETLINK_GENERIC, (at) => {
    const event = bytes[at + HEADER];
    if (event === EVENTS.created) created++;
    if (event === EVENTS.closed) closed++;
    if (event !== EVENTS.established || from === undefined) return;
    const end = at + received.getUint32(at, true);
    let isServer = false;
    for (let i = at + HEADER + GENERIC_HEADER; i < end; i += aligned(received.getUint16(i, true))) {
      const type = received.getUint16(i + 2, true);
      const value = i + 4;
      if (type === EVENT.token) fields.setUint32(tokenAt, received.getUint32(value, true), true);
      else if (type === EVENT.remoteAddress)
        fields.setUint32(remoteAt, received.getUint32(value, true), true);
      else if (type === EVENT.remotePort) fields.setUint16(portAt, received.getUint16(value, false), true);
      else if (type === EVENT.serverSide) isServer ||= bytes[value] !== 0;
      else if (type === EVENT.flags) isServer ||= (received.getUint16(value, true) & SERVER_SIDE_FLAG) !== 0;
    }
    if (!isServer) kernel.netlinkSendNow(commands, creation);
  });
  join(events, group);
  process.on("SIGTERM", () => {
    process.stdout.write(`created ${created} closed ${closed}\n`);
    process.exit();
  });
}

/** `follow` is called with the place and the type of each message. */
function open(protocol: number, follow: (at: number, type: number) => void): Handle {
  const handle = kernel.netlinkOpen(protocol, (datagrams) => {
    for (let slot = 0; slot < datagrams; slot++) {
      const end = slot * slotSize + (table[3 * slot] ?? 0);
      for (let at = slot * slotSize; at < end; at += aligned(received.getUint32(at, true)))
        follow(at, received.getUint16(at + 4, true));
    }
  });
  if (typeof handle === "number") throw new Error(`netlink socket: ${handle}`);
  sockets.push(handle);
  // SO_RCVBUFFORCE: 8 MiB, as mptcpd's sockets have.
  kernel.netlinkSetOption(handle, 1, 33, 8 << 20);
  return handle;
}

function join(handle: Handle, group: number): void {
  const result = kernel.netlinkSetOption(handle, 270, 1, group);
  if (result < 0) throw new Error(`join group ${group}: ${result}`);
}

/** Where the value of the first attribute of a type is; -1: there is none. */
function find(begin: number, end: number, type: number): number {
  for (let at = begin; at < end; at += aligned(received.getUint16(at, true)))
    if ((received.getUint16(at + 2, true) & TYPE_MASK) === type) return at + 4;
  return -1;
}

function isAt(wanted: Uint8Array, place: number): boolean {
  for (let i = 0; i < wanted.length; i++) if (wanted[i] !== bytes[place + i]) return false;
  return true;
}

function request(type: number, flags: number, rest: readonly number[]): Uint8Array {
  const header = [...u32(HEADER + rest.length), ...u16(type), ...u16(flags), ...u32(0), ...u32(0)];
  return new Uint8Array([...header, ...rest]);
}

function attribute(type: number, value: readonly number[]): number[] {
  const padding = Array(aligned(value.length) - value.length).fill(0);
  return [...u16(4 + value.length), ...u16(type), ...value, ...padding];
}

function u16(value: number): number[] {
  return [value & 0xff, value >> 8];
}

function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}
