# As .zshrc of an interactive zsh: completes $LINE when its line editor begins, as the Tab key does, writes what it
# offers into the file $CAPTURE, and ends.
fpath=($COMPLETIONS $fpath)
autoload -Uz compinit && compinit -u -d $HOME/zcompdump

# What is offered goes through here; with these options nothing is, yet.
compadd() {
	local -a hits
	if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
		builtin compadd -A hits "$@"
		(($#hits)) && print -rl -- "${(@)hits/#/$IPREFIX}" >>$CAPTURE
	fi
	builtin compadd "$@"
}

zle-line-init() {
	BUFFER=$LINE CURSOR=$#LINE
	zle complete-word
	exit
}
zle -N zle-line-init
