#!/bin/sh
# Makes a machine as its users have it, and runs a command there; tools/used-machine.mjs starts this in namespaces of
# its own.
#   used-machine.sh SCRATCH PACKAGES BUSY DIRECTORY... -- COMMAND [ARGUMENT...]
# The files are a copy of this machine's, in memory, but each DIRECTORY is the machine's own. The copy has the C programs
# installed, from the .deb files in PACKAGES. BUSY loops keep the processors busy.
set -eu

main() {
	scratch=$1 packages=$2 busy=$3
	shift 3
	here=$PWD
	copy_files
	while [ "$1" != -- ]; do
		own_directory "$1"
		shift
	done
	shift
	mkdir "$root/run/packages"
	mkdir -p "$root$TMPDIR"
	cp "$packages"/*mptcp*.deb "$packages"/libell0*.deb "$root/run/packages/"
	enter
	install_c_programs
	make_network
	come_and_go &
	# They come at any moment, but take no time that the command could use.
	renice --priority 19 --pid $! >/dev/null
	while [ "$busy" -gt 0 ]; do
		while :; do :; done &
		busy=$((busy - 1))
	done
	"$@"
	# The first process of its PID namespace ends all others with itself; a shell with a last command would not be it.
	exit $?
}

copy_files() {
	root=$scratch/root
	mount -t tmpfs -o mode=755 used "$scratch"
	mkdir "$scratch/upper" "$scratch/work" "$root"
	mount -t overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" used "$root"
	for directory in /dev /sys; do mount --rbind "$directory" "$root$directory"; done
	mount -t proc proc "$root/proc"
	mount -t tmpfs -o mode=755 used "$root/run"
	mount -t tmpfs -o mode=1777 used "$root/tmp"
}

own_directory() {
	mkdir -p "$root$1"
	mount --rbind "$1" "$root$1"
}

enter() {
	mkdir "$root/run/machine"
	cd "$root"
	pivot_root . run/machine
	umount --lazy /run/machine
	rmdir /run/machine
	cd "$here"
	# What is installed here must not reach this machine's own files.
	[ "$(stat --format=%d / /etc /usr/bin /usr/lib /var/lib/dpkg | sort --unique | wc --lines)" = 1 ] || {
		echo "a copy of this machine takes /, /etc, /usr and /var on one file system" >&2
		exit 1
	}
}

# nginx is as those have it who migrate: its unit was changed by the C mptcpize.
install_c_programs() {
	dpkg --install /run/packages/*.deb >/run/packages/log 2>&1 || {
		cat /run/packages/log >&2
		exit 1
	}
	# As `mptcpize enable nginx` writes it where systemd runs.
	library=$(echo /usr/lib/*/mptcpize/libmptcpwrap.so.0.0.1)
	[ ! -e /lib/systemd/system/nginx.service ] ||
		sed --in-place "/^\[Service\]/a Environment=LD_PRELOAD=$library" /lib/systemd/system/nginx.service
	printf '[core]\nnotify-flags=existing\n\n[path everything]\nmatch-interface=*\nignore=yes\n' >/etc/mptcpd/mptcpd.conf
}

# An uplink, guests behind a bridge, endpoints and limits of somebody's.
make_network() {
	ip link set lo up
	mkdir -p /run/netns
	ip netns add guest
	# Not every kernel has bridges; without one docker0 is a link that leads nowhere.
	ip link add docker0 type bridge 2>/dev/null || ip link add docker0 type veth peer name docker1
	ip link add veth0 type veth peer name eth0 netns guest
	ip link set veth0 master docker0 2>/dev/null || true
	ip address add 172.17.0.1/16 dev docker0
	ip -n guest address add 172.17.0.2/16 dev eth0
	ip -n guest link set eth0 up
	ip link add eth0 type veth peer name far0
	ip address add 192.0.2.10/24 dev eth0
	for device in docker0 veth0 eth0 far0; do ip link set "$device" up; done
	ip route add default via 192.0.2.1
	ip mptcp limits set subflows 5 add_addr_accepted 3
	ip mptcp endpoint add 192.0.2.10 dev eth0 id 7 signal
	ip -n guest mptcp endpoint add 172.17.0.2 id 3 subflow
}

# Containers of somebody's.
come_and_go() {
	while :; do
		ip netns add container
		ip link add veth1 type veth peer name eth0 netns container
		ip link set veth1 master docker0 up 2>/dev/null || ip link set veth1 up
		ip mptcp endpoint add 172.17.0.1 dev docker0 id 9 subflow
		sleep 1
		ip mptcp endpoint delete id 9
		ip netns delete container
		ip link delete veth1 2>/dev/null || true
		sleep 1
	done
}

main "$@"
