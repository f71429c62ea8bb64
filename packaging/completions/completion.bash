# Completion of @program@ in bash(1). Made by tools/completions.mjs from the program's own tables.
# Rows are PLACE|KIND|NAME|VALUE|HELP: src/programs/completions/completion-rows.ts.

@shared@

# Splits a line as the shell does, and runs nothing: words, without quotes; the quote that is open at the end; and kept,
# the beginning of the last word that readline does not replace. Fails where a quote has ended within that word.
__@program@_split() {
	local text=$1 letter='' word='' begun='' closed='' at
	words=() quote='' kept=''
	for ((at = 0; at < ${#text}; at++)); do
		letter=${text:at:1}
		if [[ $letter == '\' && $quote != "'" ]]; then
			at=$((at + 1)) begun=yes
			# Within double quotes it stands for itself before most characters.
			[[ -n $quote && ${text:at:1} != [\"\\\$\`] ]] && word+='\'
			word+=${text:at:1}
		elif [[ -n $quote ]]; then
			if [[ $letter == "$quote" ]]; then quote='' closed=yes; else word+=$letter; fi
		elif [[ $letter == [\"\'] ]]; then
			quote=$letter begun=yes kept=$word
		elif [[ $letter == [[:space:]] ]]; then
			[[ -n $begun ]] && words+=("$word")
			word='' begun='' closed='' kept=''
		else
			word+=$letter begun=yes
			[[ $letter == [=:] && $COMP_WORDBREAKS == *"$letter"* ]] && kept=$word
		fi
	done
	words+=("$word")
	[[ -z $closed ]]
}

# Makes one word of shell of what was found, whatever it holds; within quotes if some are open.
__@program@_quote() {
	case $quote in
	"'") REPLY=${1//\'/\'\\\'\'} ;;
	'"')
		# There is no way to write these there.
		[[ $1 == *['!'$'\n']* ]] && return 1
		REPLY=${1//\\/\\\\}
		REPLY=${REPLY//\"/\\\"}
		REPLY=${REPLY//\$/\\\$}
		REPLY=${REPLY//\`/\\\`}
		;;
	*)
		REPLY=$1
		[[ $1 == *[!A-Za-z0-9_./:=,@%+-]* ]] && printf -v REPLY %q "$1"
		;;
	esac
	# readline closes the quotes, but not behind a character that looks like the end.
	[[ -n $quote && $REPLY == *"$quote" ]] && REPLY+=$quote
	return 0
}

# Offers what begins with the current word, behind a prefix of it that is given.
__@program@_offer() {
	local head=$2 item
	local -a items
	[[ $1 == list:* || $1 == plugins:* ]] && [[ $cur == *,* ]] && head=${cur%,*},
	case $1 in
	file | module:*)
		files=yes
		mapfile -t items < <(compgen -f -- "${cur#"$head"}")
		;;
	directory)
		files=yes
		mapfile -t items < <(compgen -d -- "${cur#"$head"}")
		;;
	program)
		files=yes
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
	local netns='' user='' plugins='' cur word row at letter arguments=0 quote='' kept='' files='' REPLY
	local -a rows words found
	mapfile -t rows <<'END'
@table@
END
	COMPREPLY=()
	__@program@_split "$line" || return
	cur=${words[-1]}

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

	found=("${COMPREPLY[@]#"$kept"}")
	COMPREPLY=("${found[@]}")
	# readline quotes the names of files by itself.
	if [[ $files ]]; then
		compopt -o filenames 2>/dev/null
		return
	fi
	COMPREPLY=()
	for word in "${found[@]}"; do
		__@program@_quote "$word" && COMPREPLY+=("$REPLY")
	done
}

complete -F _@program@ @program@
