# shellcheck shell=dash
# Passages at full speed, with a fault now and then: the broker goes and comes, the eye is killed, the camera is pulled out and
# plugged in, the configuration is read again. Nothing is lost or doubled, and memory, descriptors and threads stay as they were.
. tests/lab/steps.sh
. tests/lab/edges.sh
passages=${LAB_SOAK_PASSAGES:-200}
fault_every_s=${LAB_SOAK_FAULT_S:-} # or every few passages, however quick this machine is
fault_every=20
longest_s=${LAB_SOAK_S:-172800} # then they stop coming, however many there were to be
kinds_of_faults=4
people=50
growth_max_kib=2048

start_the_broker() {
    mosquitto -c $run/mosquitto.conf >> $run/broker.log 2>&1 &
    broker=$!
    wait_for 20 "the broker" mosquitto_pub -h 127.0.0.1 -t lab -n
}
size_of_main() { # KiB, descriptors, threads
    printf '%d %d %d\n' "$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$gate/status")" "$(find "/proc/$gate/fd" -mindepth 1 | wc -l)" \
        "$(find "/proc/$gate/task" -mindepth 1 -maxdepth 1 | wc -l)"
}
faults=0
next_fault() {
    faults=$((faults + 1))
    case $((faults % kinds_of_faults)) in
    1) kill -9 "$(pgrep -P "$gate" qrgated-eye)" || true ;;
    2)
        kill $broker
        wait $broker || true
        start_the_broker
        ;;
    3) kill -HUP "$gate" ;;
    0)
        pull_the_camera_out
        echo vivid.0 > /sys/bus/platform/drivers/vivid/bind
        wait_for 10 "the camera's device" test -e "$camera" -a -e "$screen"
        join_screen_and_camera
        show_frames "$screen" GREY 1280 720
        ;;
    esac
}

say "given a gate, $people people declared green, and a broker that keeps what a subscriber has not heard"
given_wires
watch_the_kernel
relay=$(relay_number)
given_a_camera
camera_settings=$(settings_of_camera "$camera" 1280 720 "leave_ms = 3000;")
printf 'listener 1883 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location %s/\nmax_queued_messages 0\n' \
    $run > $run/mosquitto.conf
start_the_broker
mosquitto_sub -h 127.0.0.1 -t 'qrgate/lab/lane1/passage' -t 'qrgate/lab/lane1/alarm' -t 'qrgate/lab/lane1/state' -q 1 -c -i listener -F '%t %p' >> $run/events.log &
given_a_gate 100 50
given_people $people
follow_the_relay

passed() { read -r n < $run/people/passed && echo "$n"; }
fault_is_due() {
    if [ -z "$fault_every_s" ]; then
        [ "$(passed)" -ge $(((faults + 1) * fault_every)) ]
    else
        [ "$(uptime_s)" -ge $fault_due ]
    fi
}

[ -n "$fault_every_s" ] && when="each $fault_every_s s" || when="at each ${fault_every}th"
say "when they pass $passages times, with a fault $when"
fault_due=$(($(uptime_s) + ${fault_every_s:-0}))
began=$(uptime_s)
mkdir $run/people
echo 0 > $run/people/passed
"$OUT/pass_often" $run/scene $run/rises $people "$passages" $run/people/passed > $run/people.log 2>&1 &
passing=$!
while kill -0 $passing 2> /dev/null; do
    [ $(($(uptime_s) - began)) -lt "$longest_s" ] || break
    if fault_is_due; then
        next_fault
        fault_due=$(($(uptime_s) + ${fault_every_s:-0})) passed_then=$(passed)
    fi
    # Its usual size is that after each kind of fault once: what is allocated for the first time then is no leak.
    if [ $faults -ge $kinds_of_faults ] && [ ! -s $run/size_before ] && [ "$(passed)" -ge $((passed_then + 5)) ]; then
        size_of_main > $run/size_before
    fi
    sleep 0.5
done
[ $(($(uptime_s) - began)) -lt "$longest_s" ] || kill $passing 2> /dev/null || true
wait $passing 2> /dev/null || [ ! -s $run/people.log ] || fail "$(cat $run/people.log)"
say "then $(passed) have passed in $(($(uptime_s) - began)) s, with $faults faults"
show_nothing
sleep 2

# What the gate is once the last fault is over: with an eye and a broker.
last_row_was_heard() {
    seq=$(sqlite3 -readonly $run/gate/journal.db 'SELECT max(seq) FROM event')
    [ -n "$seq" ] && grep -q "\"seq\":$seq," $run/events.log
}
wait_for 60 "the subscriber to hear of the last event" last_row_was_heard
wait_for 60 "an eye" pgrep -P "$gate" qrgated-eye
size_of_main > $run/size_after
[ $faults -ge $((2 * kinds_of_faults)) ] || fail "only $faults faults came: lengthen LAB_SOAK_PASSAGES"
read -r kib_before fds_before threads_before < $run/size_before
read -r kib fds threads < $run/size_after
say "    memory $kib_before -> $kib KiB, descriptors $fds_before -> $fds, threads $threads_before -> $threads"
rises=$(rises)
stop_the_gate
ctl verify
# The journal against what the subscriber heard. The last row, that the gate stopped, is sent at the next start.
/usr/bin/python3 - $run/gate/journal.db $run/events.log "$rises" << 'CHECK' || fail "the journal and the rest disagree"
import collections, json, sqlite3, sys
database, log, rises = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = sqlite3.connect(database).execute("SELECT seq, event_id, kind FROM event ORDER BY seq").fetchall()
kinds = collections.Counter(kind for _, _, kind in rows)
heard = [json.loads(line.split(" ", 1)[1]) for line in open(log, encoding="utf-8")
         if line.startswith(("qrgate/lab/lane1/passage ", "qrgate/lab/lane1/alarm "))]
first = {}
for event in heard:
    first.setdefault(event["event_id"], event["seq"])
print(f"    {len(rows)} rows ({kinds['granted']} granted), heard {len(heard)} messages of {len(first)} events; "
      f"the relay was switched on {rises} times")
assert [seq for seq, _, _ in rows] == list(range(1, len(rows) + 1)), "a gap in the journal"
assert kinds["granted"] + kinds["override"] == rises, "not one pulse for each that was let in"
missing = [row for row in rows if row[1] not in first and row[2] != "stop"]
assert not missing, f"never heard: {missing[:5]}"
assert set(first) <= {row[1] for row in rows}, "heard of what is in no journal"
assert sorted(first.values()) == sorted(set(first.values())), "one seq for two events"
CHECK
[ $((kib - kib_before)) -le $growth_max_kib ] || fail "memory grew by $((kib - kib_before)) KiB"
[ "$fds" = "$fds_before" ] || fail "descriptors: $fds_before became $fds"
[ "$threads" = "$threads_before" ] || fail "threads: $threads_before became $threads"
say "and nothing is lost or doubled, and the gate is as large as it was"
