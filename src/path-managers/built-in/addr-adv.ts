import { definePathManager } from "mptcpd";

/**
 * What mptcpd does by default: every address that can be used is an endpoint, as [path] sections and `addr-flags` have
 * it. The kernel's own path manager does the rest. While this one is in charge of endpoints, mptcpd does not ask it:
 * the policy says the same by itself (`everyAddress`).
 */
export default definePathManager({
  name: "addr_adv",
  description: "every address is an endpoint, and the kernel does the rest",
  // Whatever else wants endpoints comes before it.
  priority: 19,
  endpoints: (network) => network.addresses.map((address) => ({ address })),
});
