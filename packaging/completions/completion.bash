# Completion of @program@ in bash(1). Made by tools/completions.mjs from the program's own tables.
# Rows are PLACE|KIND|NAME|VALUE|HELP: src/completions/row.ts.

@shared@

# Offers what begins with the current word, behind a prefix of it that is given.
__@program@_offer() {
	local head=$2 item
	local -a items
	[[ $1 == list:* || $1 == plugins:* ]] && [[ $cur == *,* ]] && head=${cur%,*},
	case $1 in
	file | module:*)
		compopt -o filenames 2>/dev/null
		mapfile -t items < <(compgen -f -- "${cur#"$head"}")
		;;
	directory)
		compopt -o filenames 2>/dev/null
		mapfile -t items < <(compgen -d -- "${cur#"$head"}")
		;;
	program)
		compopt -o filenames 2>/dev/null
		mapfile -t items < <(__@program@_programs)
		;;
	esac
	mapfile -t -O ${#items[@]} items < <(__@program@_values "$1" 2>/dev/null)
	for item in "${items[@]}"; do
		[[ $head$item == "$cur"* && ,${head##*=} != *",$item,"* ]] && COMPREPLY+=("$head$item")
	done
	[[ ${COMPREPLY[*]} == *= ]] && compopt -o nospace 2>/dev/null
}

# What a shell would run by a name: files, and none of its own functions and keywords.
__@program@_programs() {
	local file directory
	if [[ $cur == */* ]]; then
		compgen -f -- "$cur"
		return
	fi
	while read -rd : directory; do
		for file in "$directory/$cur"*; do
			[[ -f $file && -x $file ]] && printf '%s\n' "${file##*/}"
		done
	done <<<"$PATH:" | sort -u
}

# The words of a program that is run are completed as those of that program.
__@program@_program() {
	local index=1
	while [[ $index -lt $COMP_CWORD && ${COMP_WORDS[index]} != "$1" ]]; do index=$((index + 1)); done
	if declare -F _command_offset >/dev/null; then
		_command_offset $index
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}

_@program@() {
	local line=${COMP_LINE:0:COMP_POINT} place='' name='' value='' pending='' option='' used='|' ended=''
	local netns='' user='' plugins='' cur word row head breaks at letter arguments=0
	local -a rows words
	mapfile -t rows <<'END'
@table@
END
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=('')
	cur=${words[-1]}
	COMPREPLY=()

	for ((at = 1; at < ${#words[@]} - 1; at++)); do
		word=${words[at]}
		if [[ $pending ]]; then
			__@program@_note "$option" "$word"
			pending=
		elif [[ $word == -- ]]; then
			ended=yes
		elif [[ $word == --*=* && -z $ended ]]; then
			__@program@_note "${word%%=*}" "${word#*=}"
		elif [[ $word == --* && -z $ended ]]; then
			__@program@_find option "$word" '' && pending=$value
			option=$word
			[[ $pending ]] || __@program@_note "$word" ''
		elif [[ $word == -?* && -z $ended ]]; then
			for ((letter = 1; letter < ${#word}; letter++)); do
				option=-${word:letter:1}
				__@program@_find option "$option" '' || break
				[[ $value ]] || continue
				if [[ ${word:letter+1} ]]; then __@program@_note "$option" "${word:letter+1}"; else pending=$value; fi
				break
			done
		elif __@program@_find command "$word" prefix; then
			place=${place:+$place }$name
		elif __@program@_find word "$word" ''; then
			used+="$name|"
		elif __@program@_find keyword "$word" prefix; then
			used+="$name|"
			# The peer's address has a port of its own.
			[[ $name == to ]] && used=${used/|port|/|}
			pending=$value
			option=
		else
			arguments=$((arguments + 1))
			__@program@_find argument '' '' && [[ $value == program ]] && __@program@_program "$word" && return
		fi
	done

	if [[ $pending ]]; then
		__@program@_offer "$pending" ''
	elif [[ $cur == --*=* && -z $ended ]]; then
		__@program@_find option "${cur%%=*}" '' && __@program@_offer "$value" "${cur%%=*}="
	else
		for row in "${rows[@]}"; do
			[[ $row == "$place|"* || $row == '*|'* ]] || continue
			IFS='|' read -r _ word name value _ <<<"$row"
			case $word in
			option) [[ $cur == -* && -z $ended && $name == "$cur"* ]] && COMPREPLY+=("$name") ;;
			argument)
				[[ $cur != -* && ($arguments == 0 || $name == ...) ]] && __@program@_offer "$value" ''
				;;
			*) [[ $name == "$cur"* && $used != *"|$name|"* ]] && COMPREPLY+=("$name") ;;
			esac
		done
	fi

	# bash takes what follows these for the word that is replaced.
	[[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
	[[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
	if [[ $breaks && $cur == *["$breaks"]* ]]; then
		head=${cur%"${cur##*["$breaks"]}"}
		COMPREPLY=("${COMPREPLY[@]#"$head"}")
	fi
}

complete -F _@program@ @program@
