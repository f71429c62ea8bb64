import type { Host } from "../../src/lab/kit/host.ts";
import type { LabProcess } from "../../src/lab/kit/lab-process.ts";

/** `vm`: a TAP device as virtual machine monitors open it, with virtio headers. */
export type TunnelMode = "tun" | "tap" | "vm";

/** What `requires` must find for tunnels. */
export const tunnelNeeds = { tools: ["perl"], files: ["/dev/net/tun"] } as const;

/**
 * A TUN or TAP device that a program holds open, as VPN programs do: it has a carrier, and what is sent into it is
 * swallowed. It is up, has the addresses, and goes when the program ends. (Node has no ioctl(2); perl-base is part of
 * every Debian.)
 */
export async function openTunnel(
  host: Host,
  device: string,
  { mode = "tun", addresses = [] }: { mode?: TunnelMode; addresses?: readonly string[] } = {},
): Promise<LabProcess> {
  const holder = host.spawn("perl", ["-e", holdDevice, device, String(deviceFlags[mode])]);
  await holder.waitForLine(/attached/);
  await host.ipBatch([
    `link set ${device} up`,
    ...addresses.map((address) => `addr add ${address} dev ${device}`),
  ]);
  return holder;
}

// include/uapi/linux/if_tun.h: IFF_TUN or IFF_TAP, with IFF_NO_PI; IFF_VNET_HDR.
const deviceFlags = { tun: 0x1001, tap: 0x1002, vm: 0x5002 } as const;

const TUNSETIFF = 0x400454ca;
const holdDevice = `
my ($name, $flags) = @ARGV;
open(my $tun, "+<", "/dev/net/tun") or die "open /dev/net/tun: $!";
my $request = pack("a16 S x22", $name, $flags);
ioctl($tun, ${TUNSETIFF}, $request) or die "TUNSETIFF: $!";
$| = 1;
print "attached\\n";
while (sysread($tun, my $packet, 65536)) {}`;
