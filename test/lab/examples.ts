import { atOnce, type Interfaces } from "./machine.ts";

/** One interface with two addresses, and their endpoints as a machine shows them. */
export const twoAddresses: Interfaces = { eth0: ["10.0.0.1/24", "10.0.0.2/24"] };
export const first = "10.0.0.1 eth0 subflow";
export const second = "10.0.0.2 eth0 subflow";

/** An endpoint of somebody else, with an address that no interface has. */
export const foreign = "192.168.7.7 - signal";
export const addForeign = "mptcp endpoint add 192.168.7.7 id 200 signal";

/** A configuration whose endpoints do not outlive mptcpd. */
export const removeAtStop = `${atOnce}on-stop=remove\n`;
