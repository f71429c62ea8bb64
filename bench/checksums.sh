#!/bin/bash
# What MPTCP's checksums of data cost (net.mptcp.checksum_enabled, RFC 8684 section 3.3.1): throughput and CPU without
# and with them, over veth between two network namespaces, in turn in one run. Nothing there computes the checksums of
# TCP, so that the difference is all that the checksums of data cost. As root:
#   bench/checksums.sh [ROUNDS [SECONDS]]
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "$0")")")
if [ "${1-}" != inside ]; then
  exec unshare --net --mount --pid --fork --mount-proc --kill-child "$0" inside "$@"
fi
rounds=${2:-20} seconds=${3:-2}
rate=1G

mount -t tmpfs tmpfs /run
mkdir /run/netns
ip netns add client
ip netns add server
ip -n client link add eth0 type veth peer name eth0 netns server
ip -n client address add 10.0.0.1/24 dev eth0
ip -n server address add 10.0.0.2/24 dev eth0
for namespace in client server; do
  ip -n $namespace link set lo up
  ip -n $namespace link set eth0 up
done
ip netns exec server "$root/dist/mptcpize" run iperf3 --server --daemon --pidfile /run/iperf3.pid

# "GBIT_S CPU_SECONDS_PER_GBYTE" of both ends: checksums (0 or 1), then options of iperf3
measure() {
  local checksums=$1
  shift
  for namespace in client server; do
    ip netns exec $namespace sysctl -qw net.mptcp.checksum_enabled="$checksums"
  done
  ip netns exec client "$root/dist/mptcpize" run iperf3 --client 10.0.0.2 --time "$seconds" --json "$@" |
    jq -r '.end | (.sum_received.bits_per_second / 1e9) as $rate |
      "\($rate) \((.cpu_utilization_percent | .host_total + .remote_total) / 100 / ($rate / 8))"'
}

# Of a column of a file: its median, its best
median() {
  cut -d' ' -f"$1" "$2" | sort -g | awk '{ value[NR] = $1 } END { print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}
most() {
  cut -d' ' -f"$1" "$2" | sort -g | tail -n 1
}
least() {
  cut -d' ' -f"$1" "$2" | sort -g | head -n 1
}

# Ratios are of two measurements that follow each other; the best of all tells what a machine without other work does.
compare() {
  local title=$1
  shift
  rm -f /run/0 /run/1 /run/ratios
  for ((round = 0; round < rounds; round++)); do
    for checksums in 0 1; do measure $checksums "$@" >>/run/$checksums; done
    paste -d' ' <(tail -n 1 /run/0) <(tail -n 1 /run/1) | awk '{ print $3 / $1, $4 / $2 }' >>/run/ratios
  done
  echo "$title, $rounds rounds of $seconds s:"
  for checksums in 0 1; do
    printf '  checksum_enabled=%s: median %.2f Gbit/s, best %.2f; CPU of both ends for 1 GB: median %.3f s, least %.3f s\n' \
      $checksums "$(median 1 /run/$checksums)" "$(most 1 /run/$checksums)" "$(median 2 /run/$checksums)" "$(least 2 /run/$checksums)"
  done
  printf '  with checksums: throughput x %.2f (best to best x %.2f), CPU for a byte x %.2f (least to least x %.2f)\n' \
    "$(median 1 /run/ratios)" "$(awk "BEGIN { print $(most 1 /run/1) / $(most 1 /run/0) }")" \
    "$(median 2 /run/ratios)" "$(awk "BEGIN { print $(least 2 /run/1) / $(least 2 /run/0) }")"
}

compare "as fast as it goes"
compare "at $rate" --bitrate $rate
