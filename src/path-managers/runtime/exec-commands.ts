import * as v from "valibot";
import {
  type Connection,
  ConnectionError,
  type Subflow,
  tokenText,
} from "../../control/connections/connection.ts";
import { endpointFlags } from "../../kernel/mptcp-pm.ts";
import type { PathManager } from "./api.ts";
import { connectionJson, endpointJson, networkJson, subflowJson } from "./json.ts";

/** A line that a program wrote and that is no command. */
class CommandLineError extends Error {
  override readonly name = "CommandLineError";
  readonly code = "EINVAL";
}

/** What a program that is a path manager asks for, and the answer to give: see docs/path-managers.md. */
export async function carryOut(pm: PathManager, line: unknown): Promise<unknown> {
  const known = v.safeParse(commandName, line);
  if (!known.success)
    throw new CommandLineError(
      `no command is named: "command" has to be one of ${Object.keys(commands).join(", ")}`,
    );
  return await commands[known.output.command](pm, line);
}

const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff));
const id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xff));
const end = v.object({ address: v.string(), port });
const token = v.pipe(
  v.string(),
  v.regex(/^(0x)?[0-9a-f]{1,8}$/i, "has to be 8 hexadecimal digits"),
  v.transform((text) => Number.parseInt(text, 16)),
);
const flags = v.array(v.picklist(endpointFlags.names));
const subflow = { token, local: end, remote: end };

/** A command by what it takes and what it does. */
function command<Schema extends v.GenericSchema>(
  schema: Schema,
  run: (pm: PathManager, given: v.InferOutput<Schema>) => Promise<unknown>,
): (pm: PathManager, line: unknown) => Promise<unknown> {
  return async (pm, line) => {
    const given = v.safeParse(schema, line);
    if (given.success) return await run(pm, given.output);
    const [issue] = given.issues;
    throw new CommandLineError(`${v.getDotPath(issue) ?? "the command"}: ${issue.message}`);
  };
}

const commands = {
  connections: command(v.object({}), async (pm) => [...pm.connections].map(connectionJson)),
  network: command(v.object({}), async (pm) => networkJson(pm.network)),
  createSubflow: command(
    v.object({
      token,
      from: v.string(),
      to: v.exactOptional(v.object({ address: v.string(), port: v.exactOptional(port) })),
      backup: v.exactOptional(v.boolean()),
      deadline: v.exactOptional(v.pipe(v.number(), v.minValue(1))),
    }),
    async (pm, { token, ...options }) =>
      subflowJson(await pm.createSubflow(connectionOf(pm, token), options)),
  ),
  destroySubflow: command(v.object(subflow), (pm, given) => {
    const connection = connectionOf(pm, given.token);
    return pm.destroySubflow(connection, subflowOf(connection, given));
  }),
  setBackup: command(v.object({ ...subflow, backup: v.boolean() }), (pm, given) => {
    const connection = connectionOf(pm, given.token);
    return pm.setBackup(connection, subflowOf(connection, given), given.backup);
  }),
  announce: command(
    v.object({
      token,
      address: v.string(),
      port: v.exactOptional(port),
      listen: v.exactOptional(v.boolean()),
    }),
    (pm, { token, ...options }) => pm.announce(connectionOf(pm, token), options),
  ),
  withdraw: command(
    v.pipe(
      v.object({ token, id: v.exactOptional(id), address: v.exactOptional(v.string()) }),
      v.check(
        ({ id, address }) => (id === undefined) !== (address === undefined),
        "takes an id or an address",
      ),
    ),
    (pm, { token, id, address = "" }) =>
      pm.withdraw(connectionOf(pm, token), id === undefined ? address : { id }),
  ),
  endpoints: command(v.object({}), async (pm) => (await pm.endpoints.list()).map(endpointJson)),
  addEndpoint: command(
    v.object({
      address: v.string(),
      flags: v.exactOptional(flags),
      id: v.exactOptional(id),
      port: v.exactOptional(port),
      ifIndex: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0))),
    }),
    (pm, endpoint) => pm.endpoints.add(endpoint),
  ),
  changeEndpoint: command(v.object({ id, flags }), (pm, given) => pm.endpoints.change(given.id, given.flags)),
  removeEndpoint: command(v.object({ id }), (pm, given) => pm.endpoints.remove(given.id)),
  renewEndpoint: command(v.object({ address: v.string() }), (pm, given) => pm.endpoints.renew(given.address)),
  flushEndpoints: command(v.object({}), (pm) => pm.endpoints.flush()),
  limits: command(v.object({}), (pm) => pm.limits.get()),
  setLimits: command(
    v.object({ subflows: v.pipe(v.number(), v.integer()), addAddrAccepted: v.pipe(v.number(), v.integer()) }),
    (pm, given) => pm.limits.set(given),
  ),
} as const;

export const commandNames = Object.keys(commands).filter((name): name is keyof typeof commands =>
  Object.hasOwn(commands, name),
);
const commandName = v.object({ command: v.picklist(commandNames) });

function connectionOf(pm: PathManager, token: number): Connection {
  const connection = pm.connections.get(token);
  if (connection !== undefined) return connection;
  throw new ConnectionError(`find connection ${tokenText(token)}`, "ENOTCONN", "there is none of that token");
}

function subflowOf(connection: Connection, { local, remote }: Pick<Subflow, "local" | "remote">): Subflow {
  const isIt = (subflow: Subflow): boolean =>
    subflow.local.address === local.address &&
    subflow.local.port === local.port &&
    subflow.remote.address === remote.address &&
    subflow.remote.port === remote.port;
  const subflow = connection.subflows.find(isIt);
  if (subflow !== undefined) return subflow;
  const what = `find subflow ${local.address} port ${local.port} to ${remote.address} port ${remote.port}`;
  throw new ConnectionError(what, "ESRCH", `connection ${tokenText(connection.token)} has no such subflow`);
}
