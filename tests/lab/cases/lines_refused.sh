# shellcheck shell=dash
# Wires that a gate can't have: it says which and why, in words that help, and ends without having touched any.
. tests/lab/steps.sh

# $1: the relay's line as configured, $2: what has to be said of it
refuses() {
    sed "s/QRG_RELAY\"/$1\"/" $run/qrgate.conf > $run/refused.conf
    status=0
    timeout 30 "$QRGATED" --config $run/refused.conf > $run/refused.log 2>&1 || status=$?
    [ $status = 1 ] || fail "with '$1' qrgated ended with $status"
    grep -q -- "$2" $run/refused.log || fail "with '$1': $(cat $run/refused.log)"
    say "    $(grep -- "$2" $run/refused.log)"
}
wires_untouched() { # whichever were requested before the one that was refused
    for offset in 0 1 2 3 4; do
        [ "$(cat "$wires/sim_gpio$offset/value")" = 0 ] || fail "wire $offset is on"
    done
}

say "given wires of which one is another program's, one the kernel's, and two with one name"
given_wires
watch_the_wires
given_no_camera
write_the_configuration
holder_version=$(pkg-config --modversion libgpiod)
case $holder_version in
1.*) gpioset --mode=signal "$(basename "$wires")" 9=0 & ;;
*) gpioset -c "$(basename "$wires")" -C gpioset 9=0 & ;;
esac
holder=$!
held() { gpioinfo | grep -q 'QRG_RELAY_OUT.*gpioset'; }
wait_for 10 "the other program to hold its line" held

say "when a gate is to use one of them, then it refuses:"
refuses QRG_RELAY_OUT "relay: line 'QRG_RELAY_OUT' (gpiochip[0-9]*:9) is held by 'gpioset'; stop that"
refuses HOG "relay: line 'HOG' .* is held by 'lab-hog'; stop that"
refuses TWIN "line 'TWIN' is ambiguous: gpiochip[0-9]*:[01] .* and gpiochip[0-9]*:[01] .*; write CHIP:OFFSET"
refuses NOWHERE "line 'NOWHERE': no GPIO line bears this name; gpioinfo lists them"
refuses "$(basename "$wires"):12" "chip '$(basename "$wires")' has only 12 lines, 0 to 11"
refuses QRG_BUTTON "relay and button are the same wire"
wires_untouched
[ "$(times_switched_on)" = 0 ] || fail "a wire was switched on"
say "and no wire moved"
kill $holder
