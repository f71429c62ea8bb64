#!/bin/busybox sh
# The first process of a virtual machine of tools/vm-machine.mjs: mounts the host's root read-only with a writable layer
# over it, and hands over to /vm-command, or to systemd, which starts that. /settings comes from there, too.
busybox=/bin/busybox
$busybox mkdir -p /proc /dev /lower /layer /root
$busybox mount -t proc proc /proc
while read -r module; do $busybox insmod "/modules/$module" || echo "insmod $module failed"; done </modules.order
. /settings

$busybox mount -t virtiofs -o ro root /lower || exec $busybox poweroff -f
$busybox mount -t tmpfs layer /layer
$busybox mkdir /layer/upper /layer/work
$busybox mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work overlay /root
$busybox cp /vm-command /root/vm-command
cd /root || exec $busybox poweroff -f

$busybox mount -t proc proc proc
$busybox mount -t sysfs sysfs sys
$busybox mount -t devtmpfs devtmpfs dev
$busybox mkdir -p dev/pts dev/shm
$busybox mount -t devpts devpts dev/pts
$busybox mount -t tmpfs shm dev/shm
$busybox mount -t tmpfs -o mode=755 run run
$busybox mkdir -p usr/lib/modules
$busybox ln -sfn "$MODULES" "usr/lib/modules/$KERNEL"

if [ "$SYSTEMD" = no ]; then
	$busybox mount -t cgroup2 cgroup2 sys/fs/cgroup
	$busybox mount -t bpf bpf sys/fs/bpf
	exec $busybox switch_root /root /bin/sh /vm-command
fi

# If the host is a container, systemd is not to take this machine for one.
$busybox rm -f .dockerenv
# Of what the host has installed, nothing but systemd itself is to start; and /tmp is to stay, where files of tests are.
units=etc/systemd/system
for unit in getty@.service serial-getty@.service console-getty.service postgresql.service nginx.service ssh.service \
	systemd-networkd.service systemd-networkd.socket systemd-timesyncd.service systemd-remount-fs.service \
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
	man-db.timer tmp.mount; do
	$busybox ln -sfn /dev/null "$units/$unit"
done
$busybox mkdir -p etc/tmpfiles.d "$units/multi-user.target.wants"
$busybox ln -sfn /dev/null etc/tmpfiles.d/tmp.conf
$busybox ln -sfn /lib/systemd/system/multi-user.target "$units/default.target"
: >etc/fstab
$busybox cat >"$units/vm-command.service" <<'UNIT'
[Unit]
Description=what the virtual machine is for
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/bin/sh /vm-command
UNIT
$busybox ln -s ../vm-command.service "$units/multi-user.target.wants/vm-command.service"
exec $busybox switch_root /root /lib/systemd/systemd
