# Completes tandem's commands, the long options of the command (asked from its
# own --help), and files.
_tandem()
{
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "@COMMANDS@ --help" -- "$word"))
    elif [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$("$1" "$command" --help 2> /dev/null \
            | grep -oE -- '--[a-z][a-z-]*')" -- "$word"))
    fi
}
complete -o default -F _tandem tandem
