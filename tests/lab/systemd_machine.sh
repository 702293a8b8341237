# shellcheck shell=dash
# Lays out the machine that systemd boots, before it does: the gate's unit installed and enabled, wires on a chip that
# keeps an output's level when its owner dies, as a Raspberry Pi does, a disk of its own for the journal, a broker that comes
# with the network, and no network. Run by guest.sh.
. tests/lab/steps.sh
. tests/lab/edges.sh
. tests/lab/unit.sh

install_the_gate() { # as `make install` does it
    install -D "$QRGATED" /usr/local/sbin/qrgated
    install -D "$QRGATECTL" /usr/local/bin/qrgatectl
    install -D "${QRGATED%qrgated}qrgate-safe" /usr/local/libexec/qrgate-safe
    sed 's|@prefix@|/usr/local|g' systemd/qrgated@.service > /etc/systemd/system/qrgated@.service
    mkdir -p /etc/systemd/system/lab.target.wants /etc/qrgate
    ln -s ../qrgated@.service /etc/systemd/system/lab.target.wants/$unit
    systemd-sysusers "$PWD/systemd/qrgate.sysusers"
    mount -t tmpfs tmpfs /etc/qrgate
    mkdir -p /etc/qrgate/trust
    chown root:qrgate /etc/qrgate /etc/qrgate/trust
    chmod 750 /etc/qrgate
}
let_the_group_in() { # what udev's rules do on a Raspberry Pi; here there is no udev
    chgrp gpio /dev/gpiochip*
    chgrp video /dev/video*
    chmod 660 /dev/gpiochip* /dev/video*
}
a_disk_for_the_journal() { # of its own, so that it can hang or be full alone
    while read -r module; do
        insmod "$OUT/cache/modules/$module" 2> /dev/null || true # some are there already
    done < "$OUT/cache/disk.list"
    truncate -s 32M $disk_image
    mkfs.ext4 -q -F -O ^has_journal $disk_image
    mkdir -p $journal_folder
    mount -o loop $disk_image $journal_folder
    chown qrgate:qrgate $journal_folder
    chmod 750 $journal_folder
}

mkdir -p $lane_files
given_wires
echo Y > /sys/module/gpio_sim/parameters/keep_levels
given_a_camera
kill $feeder # systemd would: a case starts one of its own
install_the_gate
let_the_group_in
unit_broker="host = \"$network\";"
unit_clock=ntp
configure_the_gate
mkdir -p $drop_in # as an integrator lets a broker's address in
printf '[Service]\nIPAddressAllow=%s\n' $network > $drop_in/broker.conf
a_disk_for_the_journal
watch_the_kernel
/usr/local/libexec/qrgate-safe --help > $run/help # is in memory, as after its first use on a real machine
