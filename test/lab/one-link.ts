import type { Host } from "../../src/lab/kit/host.ts";
import { type Closer, Lab } from "../../src/lab/kit/lab.ts";

/** The server's address on the link. */
export const address = "10.0.0.1";

/** A client and a server, joined by one cable. */
export async function oneLink(t: Closer): Promise<{ lab: Lab; from: Host; to: Host }> {
  const lab = await Lab.create(t);
  const [from, to] = [await lab.host("client"), await lab.host("server")];
  await lab.link({ a: [from, "eth0", "10.0.0.2/24"], b: [to, "eth0", `${address}/24`] });
  return { lab, from, to };
}
