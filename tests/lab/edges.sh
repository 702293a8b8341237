# shellcheck shell=dash
# The kernel's own record of the relay's edges and of the gate's death, and what the cases ask of it. Sourced after
# steps.sh; `relay` is the relay_number, once there are wires. Everything in it has one clock, CLOCK_MONOTONIC, in microseconds.
tracing=/sys/kernel/tracing

watch_the_kernel() {
    [ -e $tracing/trace ] || mount -t tracefs tracefs $tracing
    echo mono > $tracing/trace_clock
    echo 'get == 0' > $tracing/events/gpio/gpio_value/filter
    echo 'comm == "qrgated"' > $tracing/events/sched/sched_process_exit/filter
    echo 1 > $tracing/events/gpio/gpio_value/enable
    echo 1 > $tracing/events/sched/sched_process_exit/enable
    echo 1 > $tracing/tracing_on
}
mark() { echo "$*" > $tracing/trace_marker; }
# What it saw: "t_us who event …". The wires have the chip's base plus their offset as number.
kernel_saw() {
    awk '!/^#/ { who = $1; sub(/-[0-9]+$/, "", who)
        for (i = 2; i < NF && $i !~ /^[0-9]+\.[0-9]+:$/; i++) ;
        printf "%.0f %s", $i * 1000000, who
        while (++i <= NF) printf " %s", $i
        print "" }' $tracing/trace
}
relay_number() {
    [ -e /sys/kernel/debug/gpio ] || mount -t debugfs debugfs /sys/kernel/debug
    sed -n "s/^$(basename "${wires:?}"): GPIOs \([0-9]*\)-.*/\1/p" /sys/kernel/debug/gpio
}
# A wire's edges: "t_us who 0|1", each only when the level changed; the chip began with 0 and keeps its level.
relay_edges() { edges_of "${relay:?}"; }
edges_of() {
    kernel_saw | awk -v wire="$1" '$3 == "gpio_value:" && $4 == wire && $6 != level + 0 {
        level = $6
        print $1, $2, $6 }'
}
relay_risen() { relay_edges | grep -c ' 1$' || true; }
last_edge() { relay_edges | awk -v level="$1" '$3 == level { t = $1 } END { print t + 0 }'; }
last_edge_by() { relay_edges | awk -v level="$1" '$3 == level { who = $2 } END { print who }'; }
last_mark() {
    kernel_saw | awk -v what="$1" '$3 == "tracing_mark_write:" && $4 == what { t = $1 }
        END { print t + 0 }'
}
death_of() {
    kernel_saw | awk -v pid="pid=$1" '$3 == "sched_process_exit:" && $5 == pid { t = $1 }
        END { print t + 0 }'
}
ms_between() { echo $((($2 - $1) / 1000)); }
# For a long run, whose record would not fit, or would take long to look through: the relay's edges one by one as they come, in
# $run/edges.log as relay_edges says them, and how often it rose in $run/rises. (Debian's awk waits for a full buffer else.)
follow_the_relay() {
    echo 0 > $run/rises
    : > $run/edges.log
    awk -W interactive -v wire="${relay:?}" -v rises=$run/rises -v edges=$run/edges.log '/gpio_value:/ {
        for (i = 1; $i != "gpio_value:"; i++) ;
        if ($(i + 1) == wire && $(i + 3) != level + 0) {
            who = $1
            sub(/-[0-9]+$/, "", who)
            level = $(i + 3)
            printf "%.0f %s %s\n", $(i - 1) * 1000000, who, level >> edges
            fflush(edges)
            if (level) { print ++n > rises; close(rises) }
        } }' < $tracing/trace_pipe &
}
rises() { cat $run/rises; }
risen_above() { n=$(rises) && [ "${n:-0}" -gt "$1" ]; }
