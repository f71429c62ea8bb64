# Completes a line as bash does when the Tab key is pressed: bash completion.bash FILE LINE
source "$1"
COMP_LINE=$2
COMP_POINT=${#COMP_LINE}
# Of quotes there are none; the line is split at blanks and at what else COMP_WORDBREAKS has.
read -ra COMP_WORDS <<<"$(sed 's/[=:]\{1,\}/ & /g' <<<"$COMP_LINE")"
[[ $COMP_LINE == *[[:space:]=:] ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
spec=$(complete -p "${COMP_WORDS[0]}") || exit
[[ $spec =~ -F\ ([^ ]+) ]] && "${BASH_REMATCH[1]}" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[[ ${#COMPREPLY[@]} == 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
