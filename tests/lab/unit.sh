# shellcheck shell=dash
# What the cases under systemd share: the installed unit and what can be asked about it. Sourced after steps.sh and edges.sh.
unit=qrgated@lane1.service
journal_folder=/var/lib/qrgate
lane_files=/run/lane # of the machine, from boot on
disk_image=$lane_files/disk
drop_in=/run/systemd/system/qrgated@.service.d
network=10.11.12.1 # the broker's address, on an interface that isn't there at boot

# $1: the relay's pulse. unit_camera, unit_broker, unit_clock and unit_relay hold what a case wants instead of a wall that
# nobody stands before, no broker, a clock that is right, and the relay's line.
configure_the_gate() {
    mkdir -p $lane_files/wall
    wall="{ driver = \"replay\"; width_px = 640; height_px = 480; rate_fps = 4; hang_ms = 15000; leave_ms = 1000;
           replay = { folder = \"$lane_files/wall\"; hold_ms = 1000; gap_ms = 1500; loop = false; }; }"
    cat > /etc/qrgate/lane1.conf <<CONF
site = "lab";
lane = "lane1";
camera = ${unit_camera:-$wall};
lines = {
  driver = "gpiod";
  relay = { line = "${unit_relay:-QRG_RELAY}"; };
  buzzer = { line = "QRG_BUZZER"; };
  lamp_green = { line = "QRG_GREEN"; };
  lamp_amber = { line = "QRG_AMBER"; };
  lamp_red = { line = "QRG_RED"; };
  button = { line = "QRG_BUTTON"; bias = "pull-down"; };
};
lane_timing = { pulse_ms = ${1:-300}; };
clock = { trust = "${unit_clock:-always}"; };
journal = { path = "$journal_folder/journal.db"; site_key_file = "$journal_folder/site.key"; };
trust = { folder = "/etc/qrgate/trust"; };
mqtt = { ${unit_broker:-enabled = false;} };
CONF
    chown root:qrgate /etc/qrgate/lane1.conf
    chmod 640 /etc/qrgate/lane1.conf
}

# A case begins with a machine that is as it was booted: a gate at work, an empty journal, nothing that was seen.
given_the_unit_at_work() { # $1: the relay's pulse
    wires=/sys/devices/platform/gpio-sim.0/$(cat /sys/kernel/config/gpio-sim/lab/bank0/chip_name)
    relay=$(relay_number)
    watch_the_unit
    systemctl stop $unit
    rm -rf ${keep_drop_in:-$drop_in}
    systemctl daemon-reload
    release_the_button
    rm -f $journal_folder/journal.db* $journal_folder/site.key $journal_folder/filler*
    configure_the_gate "$@"
    echo > $tracing/trace
    watch_the_kernel
    cursor=$(journalctl -q -n 1 -o export | sed -n 's/^__CURSOR=//p')
    systemctl reset-failed $unit
    systemctl start $unit
    given_a_running_gate
    risen=0
}
watch_the_unit() {
    risen=0 # how often the relay may have been switched on so far
    trap 'keep_the_log; kernel_saw > $run/kernel_saw.log' EXIT
}

log_says() { journalctl -q -o cat ${cursor:+--after-cursor="$cursor"} -u $unit | grep -q -- "$1"; }
keep_the_log() { journalctl -q -o short-monotonic ${cursor:+--after-cursor="$cursor"} -u $unit > $run/qrgated.log 2>&1; }
property() { systemctl show -p "$1" --value $unit; }
another_gate_runs() { [ "$(property ActiveState)" = active ] && main=$(property MainPID) && [ "$main" != "${dead:-0}" ]; }
given_a_running_gate() { wait_for 60 "the unit to be active" another_gate_runs; }
nothing_moved() { [ "$(relay_risen)" = $risen ] || fail "the relay was switched on $1"; }
relay_rose() { [ "$(relay_risen)" -gt $risen ]; }
press_and_wait_for_the_relay() {
    nothing_moved "before the button was pressed"
    press_the_button
    sleep 0.2 # a finger's time: three seconds would hold the gate open
    release_the_button
    wait_for 20 "the relay's edge" relay_rose
    risen=$((risen + 1))
    sleep 0.2
}
unit_ctl() { "$QRGATECTL" --config /etc/qrgate/lane1.conf "$@"; }
# JSON: what people are shown is in words of their language.
events_of() { unit_ctl events --limit 0 --json | grep -c "\"kind\":\"$1\"" || true; }
overrides() { events_of override; }
overrides_are() { [ "$(overrides)" -ge "$1" ]; }
