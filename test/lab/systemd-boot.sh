#!/bin/bash
# Boots a systemd that nobody will miss, and ends it with its own standard input: SystemdLab (systemd.ts) starts this.
#   systemd-boot.sh LOWER COMMAND [ARGUMENT...]
# COMMAND runs in namespaces and a cgroup of its own, where the tree LOWER is mounted at /run/root; what is written
# there goes to memory. A COMMAND that exits with 133 is run again: so systemd-nspawn tells of a reboot.
set -euo pipefail

cgroups=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET) || {
	echo "no cgroup2 is mounted" >&2
	exit 1
}

outside() {
	remove_left_over
	cgroup=$cgroups/mptcpd-lab-$(</proc/sys/kernel/random/uuid)
	mkdir "$cgroup"
	trap finish EXIT
	trap 'exit 1' INT TERM HUP
	exec 3<&0
	# Should this shell be killed, all goes with it but the cgroup, which the next boot removes.
	setpriv --pdeathsig KILL bash "$0" --in-cgroup "$cgroup" "$@" </dev/null 3<&- &
	# Standard input ends with the process that holds its other end, however that ends.
	setpriv --pdeathsig KILL cat <&3 >/dev/null 2>&1 &
	tether=$!
	wait -n
}

finish() {
	local status=$?
	# Who would read that a process was killed may have gone.
	trap '' PIPE
	kill "$tether" 2>/dev/null || true
	# The first job may not be in the cgroup yet. If it has ended, its number may be another process's: the shell knows.
	kill -KILL %1 2>/dev/null || true
	echo 1 >"$cgroup/cgroup.kill"
	wait
	until remove "$cgroup"; do sleep 0.01; done
	exit "$status"
}

# Those whose shell was killed. A young one may be of a boot that has no process in it yet.
remove_left_over() {
	local old
	for old in $(find "$cgroups" -maxdepth 1 -name 'mptcpd-lab-*' -mmin +1); do
		if grep --quiet --no-messages '^populated 0' "$old/cgroup.events"; then remove "$old" || true; fi
	done
}

# Another boot may take the cgroup of an ended system for one that was left over, and remove it at the same time.
remove() {
	find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || [ ! -e "$1" ]
}

in_cgroup() {
	echo $$ >"$1/cgroup.procs"
	shift
	# systemd-nspawn takes the cgroup of process 1 for the system's: it needs one that is in ours.
	exec unshare --mount --cgroup --pid --fork --kill-child --mount-proc --propagation private \
		bash "$0" --inside "$@"
}

inside() {
	local lower=$1 status
	shift
	# systemd-nspawn manages cgroups of one kind only: of version 2.
	umount --recursive /sys/fs/cgroup
	mount -t cgroup2 lab /sys/fs/cgroup
	mount -t tmpfs -o mode=755 lab /run
	mkdir -p /run/upper/etc/systemd/system /run/upper/etc/systemd/system-generators /run/work /run/root
	# The machine's own timers (updates of packages, …) would start at once.
	ln -s /dev/null /run/upper/etc/systemd/system/timers.target
	# Nor is there a disk or a console; each reload of the units would start all of these.
	for generator in "$lower"/usr/lib/systemd/system-generators/*; do
		case $generator in
		*/systemd-sysv-generator) ;;
		*) ln -s /dev/null "/run/upper/etc/systemd/system-generators/$(basename "$generator")" ;;
		esac
	done
	mount -t overlay -o "lowerdir=$lower,upperdir=/run/upper,workdir=/run/work" lab /run/root
	forget_installed /run/root
	while status=0; "$@" || status=$?; [ "$status" = 133 ]; do :; done
	return "$status"
}

# A test installs what it tests. The machine of a user may have the C programs or ours, from packages or not, with a
# configuration, and units that were changed by mptcpize.
forget_installed() {
	local root=$1 package list file
	for list in "$root"/var/lib/dpkg/info/{mptcpd,mptcpd-plugins,mptcpize,libmptcpwrap0,libmptcpd3}{,:*}.list; do
		[ -e "$list" ] || continue
		# What is in a directory stands behind it.
		tac "$list" | while read -r file; do
			if [ -d "$root$file" ] && [ ! -L "$root$file" ]; then
				rmdir "$root$file" 2>/dev/null || true
			else
				rm --force "$root$file"
			fi
		done
		package=$(basename "$list" .list)
		rm "$root/var/lib/dpkg/info/$package".*
		# Stanzas begin with this line and end with an empty one.
		sed --in-place "/^Package: ${package%%:*}$/,/^$/d" "$root/var/lib/dpkg/status"
	done
	rm --recursive --force "$root"/{etc,usr/lib,var/lib}/mptcpd "$root"/usr/{lib64,lib/*}/mptcpize \
		"$root"/var/lib/systemd/deb-systemd-helper-*/{,*/}mptcp* "$root"/etc/sysctl.d/*[mM][pP][tT][cC][pP]* \
		"$root"/{usr,usr/local}/{bin,sbin,libexec}/mptcp{d,ctl,ize} \
		"$root"/{etc,usr/lib}/systemd/system/{mptcp.service,mptcpd@.service}{,.d} \
		"$root"/etc/systemd/system/*.wants/{mptcp.service,mptcpd@*} \
		"$root"/etc/systemd/{system,user}/*.d/50-mptcpize.conf
	for file in $(grep --files-with-matches --recursive --no-messages libmptcpwrap "$root"/{etc,usr/lib}/systemd/system); do
		sed --in-place '/libmptcpwrap/d' "$file"
	done
}

case $1 in
--in-cgroup) shift && in_cgroup "$@" ;;
--inside) shift && inside "$@" ;;
*) outside "$@" ;;
esac
