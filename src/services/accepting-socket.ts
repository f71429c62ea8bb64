/** Sockets with Accept=yes: systemd accepts, and starts an instance of a template for each connection. */

import { Properties } from "./properties.ts";
import type { Systemctl } from "./systemd/systemctl.ts";
import { parseUnitName } from "./systemd/unit-name.ts";

/**
 * The socket unit that such a service gets its connections from. It has the name of the template (Accept= in
 * systemd.socket(5)), of which systemd knows nothing else: TriggeredBy= is for instances that run.
 */
export async function acceptingSocket(service: string, systemctl: Systemctl): Promise<string | undefined> {
  const { prefix, type, template, instance } = parseUnitName(service);
  if (type !== "service" || (!template && instance === undefined)) return undefined;
  const socket = `${prefix}.socket`;
  const shown = new Properties(await systemctl.show(socket, ["LoadState", "Accept"]));
  return shown.text("LoadState") === "loaded" && shown.yes("Accept") ? socket : undefined;
}
