/** Netlink datagrams, read and made. */
import { align4, Input, messageAt, type NetlinkMessage, Output } from "../../src/kernel/netlink/wire.ts";

/** The messages of a datagram, in their order. Throws NetlinkProtocolError at a length that is short or lies. */
export function* messages(datagram: Uint8Array | Input): Generator<NetlinkMessage, void, void> {
  const input = datagram instanceof Input ? datagram : new Input(datagram);
  for (let offset = 0; offset < input.length; ) {
    const message = messageAt(input, offset);
    yield message;
    offset = align4(message.end);
  }
}

/** One message, framed and padded. */
export function frame(
  header: { type: number; flags: number; sequence: number; portId: number },
  payload: Uint8Array,
): Uint8Array {
  const output = new Output();
  output.startMessage();
  output.append(payload);
  return output.endMessage(header.type, header.flags, header.sequence, header.portId);
}

/** The bytes of a datagram, in its own memory. */
export function bytesOf(input: Input): Uint8Array {
  return input.buffer.subarray(0, input.length);
}
