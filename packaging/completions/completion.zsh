#compdef @program@
# Completion of @program@ in zsh(1). Made by tools/completions.mjs from the program's own tables.
# Rows are PLACE|KIND|NAME|VALUE|HELP: src/programs/completions/completion-rows.ts.

@shared@

__@program@_offer() {
	local -a items present
	case $1 in
	file) _files; return ;;
	directory) _files -/; return ;;
	program) _command_names -e; return ;;
	module:*) _files ;;
	list:* | plugins:*) compset -P '*,' ;;
	esac
	items=("${(@f)$(__@program@_values $1 2>/dev/null)}")
	present=("${(@s:,:)${IPREFIX##*=}}")
	items=("${(@)${(@)items:#}:|present}")
	(( ${#items} )) || return 1
	case $1 in
	choice:*=) compadd -S '' -a items ;;
	list:* | plugins:*) compadd -S , -q -a items ;;
	*) compadd -a items ;;
	esac
}

_@program@() {
	local place='' name='' value='' pending='' option='' used='|' ended='' netns='' user='' plugins=''
	local table word cur row label at letter arguments=0
	local -a rows field below switches choices
	IFS= read -rd '' table <<'END'
@table@
END
	rows=("${(@f)table}")
	cur=$PREFIX

	for ((at = 2; at < CURRENT; at++)); do
		word=${words[at]}
		if [[ -n $pending ]]; then
			__@program@_note "$option" "$word"
			pending=
		elif [[ $word == -- ]]; then
			ended=yes
		elif [[ $word == --*=* && -z $ended ]]; then
			__@program@_note "${word%%=*}" "${word#*=}"
		elif [[ $word == --* && -z $ended ]]; then
			__@program@_find option "$word" '' && pending=$value
			option=$word
			[[ -n $pending ]] || __@program@_note "$word" ''
		elif [[ $word == -?* && -z $ended ]]; then
			for ((letter = 1; letter < ${#word}; letter++)); do
				option=-${word:$letter:1}
				__@program@_find option "$option" '' || break
				[[ -n $value ]] || continue
				if [[ -n ${word:$((letter + 1))} ]]; then
					__@program@_note "$option" "${word:$((letter + 1))}"
				else
					pending=$value
				fi
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
			((arguments++))
			if __@program@_find argument '' '' && [[ $value == program ]]; then
				words=("${(@)words[at,-1]}")
				((CURRENT -= at - 1))
				_normal
				return
			fi
		fi
	done

	if [[ -n $pending ]]; then
		__@program@_offer "$pending"
		return
	elif [[ $cur == --*=* && -z $ended ]]; then
		__@program@_find option "${cur%%=*}" '' || return 1
		compset -P '*='
		__@program@_offer "$value"
		return
	fi

	local found=1
	for row in "${rows[@]}"; do
		[[ $row == "$place|"* || $row == '*|'* ]] || continue
		field=("${(@s:|:)row}")
		name=$field[3]
		value=$field[4]
		label="${name//:/\\:}${field[5]:+:$field[5]}"
		case $field[2] in
		option) switches+=("$label") ;;
		argument)
			[[ $cur == -* ]] && continue
			[[ $arguments == 0 || $name == ... ]] && __@program@_offer "$value" && found=0
			;;
		command) below+=("$label") ;;
		*) [[ $used == *"|$name|"* ]] || choices+=("$label") ;;
		esac
	done
	((${#below})) && _describe -t commands command below && found=0
	((${#choices})) && _describe -t keywords word choices && found=0
	[[ $cur == -* && -z $ended ]] && _describe -o -t options option switches && found=0
	return found
}

if [[ $funcstack[1] == _@program@ ]]; then
	_@program@ "$@"
else
	compdef _@program@ @program@
fi
