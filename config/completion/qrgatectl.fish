# Completes qrgatectl in fish. It asks the program, whose table of commands and options is the one of --help.
# make install puts it into share/fish/vendor_completions.d; or: qrgatectl completion fish | source
function __qrgatectl
    set -l words (commandline -opc) (commandline -ct)
    for line in (command $words[1] --complete $words[2..-1] 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :folders
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c qrgatectl -f -a '(__qrgatectl)'
