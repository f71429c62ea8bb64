/**
 * What a socket of MPTCP or TCP tells of its connection: include/uapi/linux/{mptcp,tcp}.h, net/mptcp/sockopt.c,
 * net/ipv4/tcp.c.
 */
import { bitNames, type NameOf } from "./netlink/bits.ts";
import { bitsOf, codec, type Decoded, struct, u8, u32, u64 } from "./netlink/schema.ts";

/** MPTCP_INFO_FLAG_* */
export const mptcpInfoFlags = bitNames({ fallback: 0, remoteKeyReceived: 1 });
export type MptcpInfoFlag = NameOf<typeof mptcpInfoFlags>;

/** A u64 that counts something: exact up to 2^53, which are 9 petabytes. */
const counter = codec<number>({
  label: "u64 counter",
  size: 8,
  alignment: 8,
  shape: { kind: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
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
