/**
 * The messages of sock_diag(7) for TCP and MPTCP sockets: include/uapi/linux/{inet_diag,tcp,mptcp}.h, filled in by
 * net/ipv4/{inet_diag,tcp_diag,tcp}.c and net/mptcp/{mptcp_diag,diag,sockopt}.c.
 */
import {
  attributes,
  bits,
  bitsOf,
  codec,
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
} from "../netlink/schema.ts";
import { mptcpInfoFlags, subflowFlags } from "./flags.ts";

/** A u64 that counts something: exact up to 2^53, which are 9 petabytes. */
const counter = codec<number>({
  label: "u64 counter",
  size: 8,
  alignment: 8,
  shape: { kind: "integer", type: "counter", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  accepts: (value): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0,
  read: (input, start, end) => Number(u64.read(input, start, end)),
  write: (output, value) => u64.write(output, BigInt(value)),
});

/** struct mptcp_info. `later` are the fields since Linux 5.17, 6.5 and 6.9. */
export const mptcpInfo = struct(
  {
    /** Subflows beside the initial one. */
    subflows: u8,
    addAddrSignal: u8,
    addAddrAccepted: u8,
    subflowsMax: u8,
    addAddrSignalMax: u8,
    addAddrAcceptedMax: u8,
    flags: bitsOf(u32, mptcpInfoFlags),
    /** Of this side: what events, endpoint commands and subflows name the connection by. */
    token: u32,
    writeSequence: u64,
    sendUnacknowledged: u64,
    receiveNext: u64,
  },
  {
    localAddressUsed: u8,
    localAddressMax: u8,
    checksumEnabled: u8,
    retransmits: u32,
    bytesRetransmitted: counter,
    bytesSent: counter,
    bytesReceived: counter,
    bytesAcked: counter,
    /** All subflows. */
    subflowsTotal: u8,
    laminarMax: u8,
    fullmeshMax: u8,
    reserved: u8,
    /** Milliseconds since. */
    lastDataSent: u32,
    lastDataReceived: u32,
    lastAckReceived: u32,
  },
);

export type MptcpInfo = Decoded<typeof mptcpInfo>;

/** struct tcp_info. Times are µs, but `last…` are ms since; `later` are the fields since Linux 3.15. */
export const tcpInfo = struct(
  {
    state: u8,
    congestionState: u8,
    retransmits: u8,
    probes: u8,
    backoff: u8,
    options: u8,
    windowScales: u8,
    rateLimits: u8,
    retransmissionTimeout: u32,
    acknowledgementTimeout: u32,
    sendSegmentSize: u32,
    receiveSegmentSize: u32,
    unacknowledged: u32,
    selectivelyAcknowledged: u32,
    lost: u32,
    retransmitted: u32,
    forwardAcknowledged: u32,
    lastDataSent: u32,
    lastAckSent: u32,
    lastDataReceived: u32,
    lastAckReceived: u32,
    pathMtu: u32,
    receiveThreshold: u32,
    rtt: u32,
    rttVariance: u32,
    sendThreshold: u32,
    congestionWindow: u32,
    advertisedSegmentSize: u32,
    reordering: u32,
    receiveRtt: u32,
    receiveSpace: u32,
    totalRetransmits: u32,
  },
  {
    /** Bytes a second, as are all rates. All ones = unlimited, hence no counter. */
    pacingRate: u64,
    maxPacingRate: u64,
    bytesAcked: counter,
    bytesReceived: counter,
    segmentsOut: u32,
    segmentsIn: u32,
    notSentBytes: u32,
    minRtt: u32,
    dataSegmentsIn: u32,
    dataSegmentsOut: u32,
    deliveryRate: counter,
    busyTime: counter,
    receiveWindowLimited: counter,
    sendBufferLimited: counter,
    delivered: u32,
    deliveredCongested: u32,
    /** With retransmissions. */
    bytesSent: counter,
    bytesRetransmitted: counter,
    duplicateSacks: u32,
    reorderingsSeen: u32,
    outOfOrderPackets: u32,
    sendWindow: u32,
  },
);

export type TcpInfo = Decoded<typeof tcpInfo>;

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

/** INET_DIAG_INFO */
const INFO = 2;

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

export const mptcpSocket = message({ header: socketHeader, attributes: { info: mptcpInfo(INFO) } });

export const tcpSocket = message({
  header: socketHeader,
  attributes: {
    info: tcpInfo(INFO),
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
    info: struct({ counts: fixedBytes(6), flags: bitsOf(u32, mptcpInfoFlags), token: u32 })(INFO),
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

/** The messages that the programs read. */
export const received = { mptcpSocket, tcpSocket, mptcpOutline, tcpOutline };

/** The messages that they write. */
export const sent = { socketRequest };
