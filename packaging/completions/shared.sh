# For bash and zsh.

# Sets name and value of the row of a kind that has a name, or begins with it if $3 is not empty.
__@program@_find() {
	local row
	for row in "${rows[@]}"; do
		[[ $row == "$place|$1|$2|"* || $row == "*|$1|$2|"* || ( -n $3 && $row == "$place|$1|$2"* ) ]] || continue
		row=${row#*\|*\|}
		name=${row%%\|*}
		row=${row#*\|}
		value=${row%%\|*}
		return 0
	done
	value=
	return 1
}

# Remembers what other values depend on.
__@program@_note() {
	case $1 in
	-n | --netns) netns=$2 ;;
	--plugin-dir) plugins=$2 ;;
	--user) user=--user ;;
	esac
}

# Prints what a value may be, a line each. Asks the kernel and systemd, and never starts Node.
__@program@_values() {
	local -a space
	local file directory
	[[ -n ${ZSH_VERSION-} ]] && setopt localoptions nullglob
	[[ -n $netns ]] && space=(-n "$netns")
	case $1 in
	choice:* | list:*) printf '%s\n' "${1#*:}" | tr , '\n' ;;
	plugins:* | module:*)
		printf '%s\n' "${1#*:}" | tr , '\n'
		[[ $1 == module:* ]] && return
		directory=${plugins:-/usr/lib/mptcpd/plugins}
		for file in "$directory"/*.js "$directory"/*.mjs "$directory"/*.ts; do
			file=${file##*/}
			[[ $file == *'*'* || $file == *$'\n'* || $file == *.test.* || $file == *.d.ts ]] || printf '%s\n' "${file%.*}"
		done
		;;
	interface)
		# Names are bytes, which "." stands for in no other locale. A word that begins with "-" would be an option.
		ip "${space[@]}" -o link show | LC_ALL=C sed -n 's/^[0-9]*: \([^:@]*\).*/\1/;T;s/^-/\\x2d/;p'
		;;
	address)
		ip "${space[@]}" -o address show scope global |
			sed -n 's/^[0-9]*: [^ ]* *inet6\{0,1\} \([^/ ]*\).*/\1/p'
		;;
	netns)
		for file in /run/netns/*; do
			# A line is a name.
			[[ -e $file && $file != *$'\n'* ]] && printf '%s\n' "${file##*/}"
		done
		;;
	endpoint) ip "${space[@]}" mptcp endpoint show | sed -n 's/^\([^ ]*\) .*/\1/p' ;;
	endpoint-id) ip "${space[@]}" mptcp endpoint show | sed -n 's/.* id \([0-9]*\).*/\1/p' ;;
	token)
		[[ -n $netns ]] && space=(-N "$netns")
		# With the eight digits that mptcpctl writes: ss leaves out zeros in front.
		ss "${space[@]}" -M -n -i -H |
			sed -n '/token:/{s/.*token:\([0-9a-f]*\).*/0000000\1/;s/.*\(.\{8\}\)$/\1/p;}' | sort -u
		;;
	unit)
		{
			systemctl ${user:+"$user"} list-unit-files --no-legend --no-pager --type=service,socket
			systemctl ${user:+"$user"} list-units --all --plain --no-legend --no-pager --type=service,socket
		} | sed 's/ .*//' | sort -u
		;;
	enabled-unit)
		if [[ -n $user ]]; then
			space=("${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user" "${XDG_RUNTIME_DIR-}/systemd/user")
		else
			space=(/etc/systemd/system /run/systemd/system)
		fi
		for directory in "${space[@]}"; do
			for file in "$directory"/*.d/50-mptcpize.conf; do
				[[ -e $file && $file != *$'\n'* ]] || continue
				file=${file%.d/*}
				printf '%s\n' "${file##*/}"
			done
		done
		;;
	esac
}
