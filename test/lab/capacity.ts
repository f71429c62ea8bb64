import { Lab } from "../../src/lab/kit/lab.ts";

/** How many endpoints this kernel holds; it tells only by refusing one more. */
export async function findCapacity(): Promise<number> {
  const lab = await Lab.create();
  const host = await lab.host("probe");
  const additions = Array.from({ length: 256 }, (_, i) => `mptcp endpoint add 10.0.0.${i} subflow`);
  // It stops at the first that is refused.
  await host.ipBatch(additions).catch(() => {});
  const { length } = await host.endpoints();
  await lab.close();
  return length;
}
