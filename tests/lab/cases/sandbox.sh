# shellcheck shell=dash
# init: systemd
# What the unit lets the gate do, and what not: with camera, wires and broker at work by the unit as it is installed, systemd's
# own verdict on it; and a program in its place that tries the rest, the other cameras' machines and addresses included.
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh
exposure_max=1.5
other=10.11.12.99
card='022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Khu 2, Phường Hà An, Quảng Yên, Quảng Ninh|01082022'
heard() { grep -q -- "$1" $run/events.log; }
status_of() { awk -v what="$1:" '$1 == what { print $2 }' "/proc/$main/status"; }

say "given the unit at work with a real camera and a broker on this machine"
find_vivid 0
unit_camera=$(settings_of_camera "$camera")
unit_broker='host = "127.0.0.1";'
printf 'listener 1883\nallow_anonymous true\nuser root\n' > $run/mosquitto.conf
mosquitto -c $run/mosquitto.conf > $run/broker.log 2>&1 &
broker=$!
wait_for 20 "the broker" mosquitto_pub -h 127.0.0.1 -t lab -n
mosquitto_sub -h 127.0.0.1 -t 'qrgate/#' -F '%t %p' >> $run/events.log &
subscriber=$!
given_the_unit_at_work
feed_the_camera
unit_ctl declare --subject cccd:022199012345 --status green > $run/declare.log
wait_for 60 "the camera" heard '"camera":"ok"'

say "when a card is held before the camera"
show "$card"
wait_for 60 "the event" heard '"kind":"granted"'
risen=$(relay_risen)
[ "$risen" = 1 ] || fail "the relay was switched on $risen times"
wait_until_relay_is 0
show_nothing
say "then it opens, and the subscriber hears of it"
exposure=$(systemd-analyze security --no-pager $unit 2> /dev/null | sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p')
say "    systemd-analyze security: $exposure"
[ "$(echo "$exposure $exposure_max" | awk '{ print ($1 != "" && $1 <= $2) }')" = 1 ] || fail "more than $exposure_max"
[ "$(status_of Uid)" = "$(id -u qrgate)" ] || fail "the gate runs as user $(status_of Uid)"
[ "$(status_of CapEff)$(status_of CapBnd)" = 00000000000000000000000000000000 ] || fail "the gate has capabilities"
[ "$(status_of NoNewPrivs)/$(status_of Seccomp)" = 1/2 ] || fail "the gate isn't filtered"
eye=$(pgrep -P "$main" qrgated-eye)
[ "$(cat "/proc/$eye/oom_score_adj")" = 1000 ] || fail "the eye isn't the first that the kernel ends"
say "and it runs as $(ps -o user= -p "$main"), without a capability, filtered; its eye goes first when memory runs out"

say "when another program is in its place"
ip addr add $other/32 dev lo
touch /tmp/of-the-machine
mkdir -p $drop_in $lane_files/probe
chmod 755 $lane_files/probe
cp tests/lab/probe.sh $lane_files/probe/
printf '[Service]\nType=exec\nRestart=no\nWatchdogSec=0\nExecStart=\nExecStart=/bin/bash %s %s 127.0.0.1 %s\n' \
    $lane_files/probe/probe.sh $journal_folder $other > $drop_in/probe.conf
systemctl daemon-reload
systemctl restart $unit
probe_ended() { log_says 'end of the probe'; }
wait_for 120 "the probe" probe_ended
journalctl -q -o cat --after-cursor="$cursor" -u $unit | grep -E '^(is|can|cannot) ' > $run/probe.log
rm -r $drop_in
systemctl daemon-reload
sed 's/^/    /' $run/probe.log
for what in "open a GPIO chip" "open a camera" "write its journal's folder" "read its configuration" "reach its broker"; do
    grep -qx "can $what" $run/probe.log || fail "the gate's unit can't $what"
done
[ "$(grep -c '^can ' $run/probe.log)" = 5 ] || fail "the unit lets more through than it must"
[ "$(grep -c '^cannot ' $run/probe.log)" -ge 20 ] || fail "the probe tried too little"
say "then it can do those five things and none of the others"

say "when the broker is elsewhere, and a drop-in lets that address in"
unit_broker="host = \"$other\";"
mkdir -p $drop_in
printf '[Service]\nIPAddressAllow=%s\n' $other > $drop_in/broker.conf
: > $run/events.log
keep_drop_in=/nonexistent
given_the_unit_at_work
wait_for 60 "the gate's word by the other address" heard 'availability online'
say "then the gate reaches it"
rm -r $drop_in
systemctl daemon-reload
kill $subscriber $broker $feeder
