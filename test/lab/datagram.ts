/** Netlink datagrams, read and made. */
import {
  align4,
  HEADER_LENGTH,
  Input,
  type MessageHeader,
  messageAt,
  type NetlinkMessage,
  Output,
} from "../../src/kernel/netlink/wire.ts";

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
export function frame(header: MessageHeader, payload: Uint8Array): Uint8Array {
  const output = new Output();
  output.reserve(HEADER_LENGTH);
  output.append(payload);
  output.frame(header);
  return output.take();
}

/** The bytes of a datagram, in its own memory. */
export function bytesOf(input: Input): Uint8Array {
  return input.buffer.subarray(0, input.length);
}
