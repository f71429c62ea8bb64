import type { TestContext } from "node:test";
import {
  body,
  type ConnectionOptions,
  NetlinkConnection,
} from "../../../../src/kernel/netlink/connection.ts";
import { attributes, nested, string, u8, u16 } from "../../../../src/kernel/netlink/schema.ts";
import type { NetlinkMessage } from "../../../../src/kernel/netlink/wire.ts";
import { FakeKernel, type Reply } from "../../../lab/fake-kernel.ts";

/** What the kernel of these tests has, and its message types. */
export const thing = attributes({
  id: u8(1),
  name: string(2),
  inner: nested(3, attributes({ port: u16(5) })),
});
export const NEW = 16;
export const SET = 17;
export const GET = 18;

/** A connection to a fake kernel that answers as said, closed at the end of the test. */
export function connect(
  t: TestContext,
  answer?: (request: NetlinkMessage) => readonly Reply[],
  options: Partial<ConnectionOptions> = {},
) {
  const kernel = new FakeKernel(answer);
  const connection = NetlinkConnection.open({ protocol: 0, open: kernel.open, ...options });
  t.after(() => connection.close());
  return { kernel, connection };
}

export function set(value: Parameters<typeof thing.encode>[0]) {
  return { what: "set thing", type: SET, body: body(thing, value) };
}

export function reply(value: Parameters<typeof thing.encode>[0]): Reply {
  return { type: NEW, payload: thing.encode(value) };
}
