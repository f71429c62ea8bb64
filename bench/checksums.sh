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
rounds=${2:-8} seconds=${3:-4}
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

median() {
  sort -g | awk '{ value[NR] = $1 } END { print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}

compare() {
  local title=$1
  shift
  : >/run/throughput && : >/run/cpu && : >/run/without && : >/run/with
  for ((round = 0; round < rounds; round++)); do
    read -r rate0 cpu0 < <(measure 0 "$@")
    read -r rate1 cpu1 < <(measure 1 "$@")
    awk "BEGIN { print $rate1 / $rate0 }" >>/run/throughput
    awk "BEGIN { print $cpu1 / $cpu0 }" >>/run/cpu
    echo "$rate0 $cpu0" >>/run/without
    echo "$rate1 $cpu1" >>/run/with
    printf '%s, round %d: %.2f and %.2f Gbit/s, %.3f and %.3f s of CPU for 1 GB\n' \
      "$title" $((round + 1)) "$rate0" "$rate1" "$cpu0" "$cpu1"
  done
  printf '%s: medians %.2f and %.2f Gbit/s; with checksums, throughput × %.2f, CPU for a byte × %.2f\n' "$title" \
    "$(cut -d' ' -f1 /run/without | median)" "$(cut -d' ' -f1 /run/with | median)" "$(median </run/throughput)" "$(median </run/cpu)"
}

compare "as fast as it goes"
compare "at $rate" --bitrate $rate
