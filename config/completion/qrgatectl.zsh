#compdef qrgatectl
# Completes qrgatectl in zsh. It asks the program, whose table of commands and options is the one of --help.
# make install puts it into share/zsh/site-functions; or: source <(qrgatectl completion zsh)
_qrgatectl() {
    local line
    local -a found
    for line in "${(@f)$("${words[1]}" --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
            '') ;;
            :files) _files ;;
            :folders) _files -/ ;;
            *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    (( $#found )) && _describe qrgatectl found
}
if [[ $funcstack[1] == _qrgatectl ]]; then
    _qrgatectl "$@"
else
    compdef _qrgatectl qrgatectl
fi
