# Completion of @program@ in fish(1). Made by tools/completions.mjs from the program's own tables.
# Rows are PLACE|KIND|NAME|VALUE|HELP: src/programs/completions/completion-rows.ts.

set -g __@program@_rows \
@table@

# Prints what a value may be, a line each. Asks the kernel and systemd, and never starts Node.
function __@program@_values --argument-names value netns user plugins
    set -l space
    test -n "$netns"; and set space -n $netns
    switch $value
        case 'choice:*' 'list:*'
            string split , (string replace -r '^[a-z]*:' '' -- $value)
        case 'plugins:*' 'module:*'
            string split , (string replace -r '^[a-z]*:' '' -- $value)
            string match -q 'module:*' -- $value; and return
            set -l directory /usr/lib/mptcpd/plugins
            test -n "$plugins"; and set directory $plugins
            for file in $directory/*.js $directory/*.mjs $directory/*.ts
                set file (string replace -r '.*/' '' -- $file)
                string match -qr '\.test\.|\.d\.ts$' -- $file
                or string replace -r '\.[a-z]*$' '' -- $file
            end
        case interface
            # A word that begins with "-" would be an option.
            ip $space -o link show | string replace -rf '^\d+: ([^:@]+).*' '$1' | string replace -r '^-' '\\\\x2d'
        case address
            ip $space -o address show scope global | string replace -rf '^\d+: \S+\s+inet6? ([^/ ]+).*' '$1'
        case netns
            # A line is a name, up to a tab.
            for file in /run/netns/*
                string match -qr '[\n\t]' -- $file
                or string replace -r '.*/' '' -- $file
            end
        case endpoint
            ip $space mptcp endpoint show | string replace -rf '^(\S+) .*' '$1'
        case endpoint-id
            ip $space mptcp endpoint show | string replace -rf '.* id (\d+) .*' '$1'
        case token
            test -n "$netns"; and set space -N $netns
            # With the eight digits that mptcpctl writes: ss leaves out zeros in front.
            ss $space -M -n -i -H | string replace -rf '.*token:([0-9a-f]+).*' '0000000$1' | string sub -s -8 | sort -u
        case unit
            set -l manager
            test -n "$user"; and set manager $user
            begin
                systemctl $manager list-unit-files --no-legend --no-pager --type=service,socket
                systemctl $manager list-units --all --plain --no-legend --no-pager --type=service,socket
            end | string replace -r ' .*' '' | sort -u
        case enabled-unit
            set -l directories /etc/systemd/system /run/systemd/system
            if test -n "$user"
                set directories $XDG_RUNTIME_DIR/systemd/user $HOME/.config/systemd/user
                set -q XDG_CONFIG_HOME; and set directories[2] $XDG_CONFIG_HOME/systemd/user
            end
            for file in $directories/*.d/50-mptcpize.conf
                string replace -r '.*/(.*)\.d/[^/]*$' '$1' -- $file
            end
    end 2>/dev/null
end

# Prints name and value of the row of a kind that has a name, or begins with it if $prefix is not empty.
function __@program@_find --argument-names place kind name prefix
    for row in $__@program@_rows
        set -l field (string split '|' -- $row)
        test "$field[2]" = $kind; or continue
        contains -- "$field[1]" "$place" '*'; or continue
        if test "$field[3]" != "$name"
            test -n "$prefix"; or continue
            test (string sub -l (string length -- $name) -- $field[3]) = $name; or continue
        end
        printf '%s\n' $field[3] $field[4]
        return 0
    end
    return 1
end

function __@program@_offer --argument-names value before
    set -l state $argv[3..]
    set -l cur (commandline -ct)
    switch $value
        case file 'module:*'
            __fish_complete_path (string replace -- $before '' $cur) | string replace -r '^' -- $before
            test $value = file; and return
        case directory
            __fish_complete_directories (string replace -- $before '' $cur) '' | string replace -r '^' -- $before
            return
        case program
            string match -q '*/*' -- $cur; and __fish_complete_path $cur; and return
            for file in $PATH/$cur*
                test -f $file -a -x $file; and string replace -r '.*/' '' -- $file
            end
            return
        case 'list:*' 'plugins:*'
            string match -q '*,*' -- $cur; and set before (string replace -r '[^,]*$' '' -- $cur)
    end
    for item in (__@program@_values $value $state)
        contains -- $item (string split , -- (string replace -r '.*=' '' -- $before)); or printf '%s\n' $before$item
    end
end

function __@program@_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -l place ''
    set -l pending ''
    set -l option ''
    set -l ended ''
    set -l used
    set -l arguments 0
    set -l netns ''
    set -l user ''
    set -l plugins ''
    set -l at 1

    for word in $words[2..]
        set at (math $at + 1)
        set -l found
        set -l noted
        if test -n "$pending"
            set noted "$option" "$word"
            set pending ''
        else if test "$word" = --
            set ended yes
        else if test -z "$ended"; and string match -q -- '--*=*' $word
            set noted (string split -m 1 = -- $word)
        else if test -z "$ended"; and string match -q -- '--*' $word
            set found (__@program@_find "$place" option $word '')
            set option $word
            set pending "$found[2]"
            test -n "$pending"; or set noted $word ''
        else if test -z "$ended"; and string match -qr -- '^-.' $word
            set -l letters (string split '' -- (string sub -s 2 -- $word))
            for index in (seq (count $letters))
                set option -$letters[$index]
                set found (__@program@_find "$place" option $option ''); or break
                test -n "$found[2]"; or continue
                if test $index -lt (count $letters)
                    set noted $option (string join '' -- $letters[(math $index + 1)..])
                else
                    set pending $found[2]
                end
                break
            end
        else if set found (__@program@_find "$place" command $word prefix)
            set place (string trim -- "$place $found[1]")
        else if set found (__@program@_find "$place" word $word '')
            set -a used $found[1]
        else if set found (__@program@_find "$place" keyword $word prefix)
            set -a used $found[1]
            # The peer's address has a port of its own.
            test $found[1] = to; and set used (string match -v port -- $used)
            set pending $found[2]
            set option ''
        else
            set arguments (math $arguments + 1)
            set found (__@program@_find "$place" argument '' '')
            if test "$found[2]" = program
                # Completed as the words of that program.
                complete -C (string join ' ' -- (string escape -- $words[$at..]) "$cur")
                return
            end
        end
        switch "$noted[1]"
            case -n --netns
                set netns $noted[2]
            case --plugin-dir
                set plugins $noted[2]
            case --user
                set user --user
        end
    end

    set -l state "$netns" "$user" "$plugins"
    if test -n "$pending"
        __@program@_offer $pending '' $state
        return
    end
    if test -z "$ended"; and string match -q -- '--*=*' $cur
        set -l name (string split -m 1 = -- $cur)[1]
        set -l found (__@program@_find "$place" option $name '')
        test -n "$found[2]"; and __@program@_offer $found[2] "$name=" $state
        return
    end
    for row in $__@program@_rows
        set -l field (string split '|' -- $row)
        contains -- "$field[1]" "$place" '*'; or continue
        switch $field[2]
            case option
                test -z "$ended"; and string match -q -- '-*' $cur; and printf '%s\t%s\n' $field[3] $field[5]
            case argument
                string match -q -- '-*' $cur; and continue
                test $arguments = 0 -o "$field[3]" = ...; and __@program@_offer $field[4] '' $state
            case '*'
                contains -- $field[3] $used; or printf '%s\t%s\n' $field[3] $field[5]
        end
    end
end

complete -c @program@ -f -a '(__@program@_complete)'
