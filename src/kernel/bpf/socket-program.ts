/**
 * The program that makes sockets MPTCP. It runs before update_socket_protocol (net/socket.c), by which the kernel,
 * since 6.6, lets BPF choose the protocol of every socket(2): what the program returns, unless it is 0, is the result.
 */

import { AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_TCP } from "../socket-numbers.ts";
import {
  add,
  and32,
  assemble,
  call,
  copy,
  exit,
  jumpIfEqual32,
  jumpIfLess,
  jumpIfZero,
  jumpUnlessEqual32,
  jumpUnlessZero,
  type Line,
  label,
  load,
  set,
  setMap,
  store,
} from "./assembler.ts";

/** int update_socket_protocol(int family, int type, int protocol) */
export const attachedFunction = "update_socket_protocol";

/** Deeper cgroups than these are not found; systemd's own are at most six levels deep. */
const maxDepth = 64;

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;

const BPF_FUNC_map_lookup_elem = 1;
const BPF_FUNC_get_current_ancestor_cgroup_id = 123;

/**
 * Machine code. It converts TCP sockets of IPv4 and IPv6 of every task that is in one of the cgroups, at any depth.
 *
 * @param cgroups file descriptor of the map whose keys are the ids of cgroups
 */
export function socketProgram(cgroups: number): Uint8Array {
  return assemble([...wantsTcp, ...isInside(cgroups), ...results]);
}

/** R1 points to the arguments of the function, eight bytes each, of which an int fills the lower half. */
const wantsTcp: readonly Line[] = [
  load(6, 1, 0),
  load(7, 1, 8),
  load(8, 1, 16),
  jumpIfEqual32(6, AF_INET, "internet"),
  jumpUnlessEqual32(6, AF_INET6, "leave"),
  label("internet"),
  and32(7, ~(SOCK_NONBLOCK | SOCK_CLOEXEC)),
  jumpUnlessEqual32(7, SOCK_STREAM, "leave"),
  jumpIfEqual32(8, 0, "tcp"),
  jumpUnlessEqual32(8, IPPROTO_TCP, "leave"),
  label("tcp"),
];

/** From the cgroup below the root (level 1) down to the task's own, below which the helper gives 0. */
function isInside(cgroups: number): readonly Line[] {
  return [
    set(6, 1),
    label("level"),
    copy(1, 6),
    call(BPF_FUNC_get_current_ancestor_cgroup_id),
    jumpIfZero(0, "leave"),
    store(10, -8, 0),
    ...setMap(1, cgroups),
    copy(2, 10),
    add(2, -8),
    call(BPF_FUNC_map_lookup_elem),
    jumpUnlessZero(0, "convert"),
    add(6, 1),
    jumpIfLess(6, maxDepth, "level"),
  ];
}

/** 0 leaves the choice to the function itself and to other programs. */
const results: readonly Line[] = [
  label("leave"),
  set(0, 0),
  exit,
  label("convert"),
  set(0, IPPROTO_MPTCP),
  exit,
];
