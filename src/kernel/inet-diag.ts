/**
 * The messages of sock_diag(7) for TCP and MPTCP sockets: include/uapi/linux/{inet_diag,tcp,mptcp}.h, filled in by
 * net/ipv4/{inet_diag,tcp_diag}.c and net/mptcp/{mptcp_diag,diag,sockopt}.c.
 */
import { bitNames, type NameOf } from "./netlink/bits.ts";
import {
  attributes,
  bits,
  bitsOf,
  type Decoded,
  fixedBytes,
  message,
  nested,
  string,
  struct,
  u8,
  u16,
  u16be,
  u32,
  u64,
} from "./netlink/schema.ts";
import { mptcpInfo, mptcpInfoFlags, tcpInfo } from "./socket-info.ts";

export const NETLINK_SOCK_DIAG = 4;
export const SOCK_DIAG_BY_FAMILY = 20;

/** enum of net/tcp_states.h; MPTCP sockets use the same. */
export const tcpStates = {
  established: 1,
  "syn-sent": 2,
  "syn-recv": 3,
  "fin-wait-1": 4,
  "fin-wait-2": 5,
  "time-wait": 6,
  close: 7,
  "close-wait": 8,
  "last-ack": 9,
  listen: 10,
  closing: 11,
  "new-syn-recv": 12,
} as const;
export type TcpState = keyof typeof tcpStates;

/** MPTCP_SUBFLOW_FLAG_*: MP_CAPABLE or MP_JOIN, and backup, each as the peer sent it (Rem) or we did (Loc). */
export const subflowFlags = bitNames({
  capableRemote: 0,
  capableLocal: 1,
  joinRemote: 2,
  joinLocal: 3,
  backupRemote: 4,
  backupLocal: 5,
  fullyEstablished: 6,
  connected: 7,
  mapValid: 8,
});
export type SubflowFlag = NameOf<typeof subflowFlags>;

/** struct inet_diag_sockid. Addresses of IPv4 take the first 4 of the 16 bytes. */
const socketId = struct({
  localPort: u16be,
  remotePort: u16be,
  local: fixedBytes(16),
  remote: fixedBytes(16),
  /** The interface that the socket is bound to; 0 = none. */
  ifIndex: u32,
  cookieLow: u32,
  cookieHigh: u32,
});

/** struct inet_diag_req_v2. INET_DIAG_REQ_PROTOCOL holds protocols above 255, which the u8 cannot. */
export const socketRequest = message({
  header: struct({ family: u8, protocol: u8, extensions: u8, pad: u8, states: u32, id: socketId }),
  attributes: { wideProtocol: u32(3) },
});

/** struct inet_diag_msg */
const socketHeader = struct({
  family: u8,
  state: u8,
  timer: u8,
  retransmits: u8,
  id: socketId,
  expires: u32,
  receiveQueue: u32,
  sendQueue: u32,
  uid: u32,
  inode: u32,
});

/** INET_DIAG_INFO, as an attribute and as a bit of `extensions`. */
const INET_DIAG_INFO = 2;
export const infoExtension = 1 << (INET_DIAG_INFO - 1);

/** MPTCP_SUBFLOW_ATTR_*. Without CAP_NET_ADMIN the kernel leaves out some or all. */
const subflowInfo = attributes({
  remoteToken: u32(1),
  localToken: u32(2),
  relativeWriteSequence: u32(3),
  mapSequence: u64(4),
  mapSubflowSequence: u32(5),
  subflowSequenceOffset: u32(6),
  mapDataLength: u16(7),
  flags: bits(8, subflowFlags),
  remoteId: u8(9),
  localId: u8(10),
});
export type SubflowInfo = Decoded<typeof subflowInfo>;

export const mptcpSocket = message({ header: socketHeader, attributes: { info: mptcpInfo(INET_DIAG_INFO) } });

export const tcpSocket = message({
  header: socketHeader,
  attributes: {
    info: tcpInfo(INET_DIAG_INFO),
    /** INET_DIAG_ULP_INFO: the upper layer protocol; subflows of MPTCP have "mptcp". */
    upperLayer: nested(19, attributes({ name: string(1), mptcp: nested(3, subflowInfo) })),
  },
});

/**
 * The same sockets with no more than what tells connections and subflows apart, for those who list many: an attribute
 * is read by its first bytes.
 */
export const mptcpOutline = message({
  header: socketHeader,
  attributes: {
    info: struct({ counts: fixedBytes(6), flags: bitsOf(u32, mptcpInfoFlags), token: u32 })(INET_DIAG_INFO),
  },
});

export const tcpOutline = message({
  header: socketHeader,
  attributes: {
    upperLayer: nested(
      19,
      attributes({
        mptcp: nested(
          3,
          attributes({ localToken: u32(2), flags: bits(8, subflowFlags), remoteId: u8(9), localId: u8(10) }),
        ),
      }),
    ),
  },
});
