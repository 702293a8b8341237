# qrgate. `make help` lists the targets. V=1 shows commands. CC, CFLAGS, CPPFLAGS, LDFLAGS, DESTDIR, prefix and
# PKG_CONFIG are honoured; SANITIZER=address,undefined or =thread builds beside, in build/SANITIZER.
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

VERSION    := 0.1.0
CC         ?= cc
ifeq ($(origin CC),default)
CC         := cc
endif
PKG_CONFIG ?= pkg-config
prefix     ?= /usr/local
sysconfdir ?= /etc
CFLAGS     ?= -O2 -g
COMMA      := ,
SANITIZER  ?=
BUILD      ?= build$(if $(SANITIZER),/$(subst $(COMMA),-,$(SANITIZER)))
Q          := $(if $(V),,@)
say         = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

HAVE_PKGS  := $(shell $(PKG_CONFIG) --exists libgpiod 2>/dev/null && echo yes)
GPIOD_MAJOR := $(firstword $(subst ., ,$(shell $(PKG_CONFIG) --modversion libgpiod 2>/dev/null)))
PKGS       := zbar libv4l2 libgpiod sqlite3 libconfig libcbor libsodium libsystemd libseccomp libjpeg libpng \
              libcrypto zlib libutf8proc json-c
# The second decoder: where zxing-cpp with its C API (2.3 or later) is installed; WITH_ZXING= leaves it out.
ZXING_CFLAGS := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags zxing 2>/dev/null))
ZXING_LIBS := $(shell $(PKG_CONFIG) --libs zxing 2>/dev/null)
ZXING_TRY  := extern int part(const void *) __asm__("_ZNK5ZXing6Result12sequenceSizeEv"); \
              int main(void) { return part(0) + !ZXing_ReaderOptions_new(); }
ifeq ($(origin WITH_ZXING),undefined)
WITH_ZXING := $(shell $(PKG_CONFIG) --atleast-version=2.2 zxing 2>/dev/null && \
              printf '\043include <ZXing/ZXingC.h>\n%s\n' '$(ZXING_TRY)' | \
              $(CC) $(ZXING_CFLAGS) -x c - -o /dev/null $(ZXING_LIBS) 2>/dev/null && echo yes)
endif
DEFINES    := -D_GNU_SOURCE -DQRG_GPIOD_MAJOR=$(GPIOD_MAJOR) -DQRG_WITH_ZXING=$(if $(WITH_ZXING),1,0)
WARN       := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
              -Wwrite-strings -Wundef -Wformat=2
SAN        := $(if $(SANITIZER),-fsanitize=$(SANITIZER) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_CFLAGS  = -std=c17 $(DEFINES) -DQRGATE_VERSION='"$(VERSION)"' -I. $(WARN) \
              -fstack-protector-strong $(if $(SANITIZER),,-D_FORTIFY_SOURCE=2) -fPIE $(SAN) \
              $(shell $(PKG_CONFIG) --cflags $(PKGS)) $(if $(WITH_ZXING),$(ZXING_CFLAGS)) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SAN) $(LDFLAGS)
LIBS        = $(shell $(PKG_CONFIG) --libs $(PKGS)) $(if $(WITH_ZXING),$(ZXING_LIBS)) -lpaho-mqtt3cs -lpthread -lm

# What draws pages: qrgatectl alone.
CTL_PKGS   := cairo cairo-pdf cairo-svg fontconfig
CTL_LIBS    = $(shell $(PKG_CONFIG) --libs $(CTL_PKGS))
$(BUILD)/obj/daemon/ctl/print/%.o: CTL_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(CTL_PKGS))

LIB_SRC  := $(filter-out daemon/main.c daemon/operator.c daemon/passage.c daemon/upkeep.c,$(wildcard hw/*.c daemon/*.c)) \
            $(wildcard daemon/settings/*.c daemon/vision/*.c daemon/credential/*.c daemon/decision/*.c \
            daemon/lane/*.c daemon/journal/*.c daemon/mqtt/*.c daemon/health/*.c)
CTL_SRC  := $(wildcard daemon/ctl/*.c daemon/ctl/*/*.c)
DAE_SRC  := daemon/main.c daemon/operator.c daemon/passage.c daemon/upkeep.c
SAFE_SRC := daemon/safe.c
LIB_SRC  := $(filter-out $(SAFE_SRC) $(if $(WITH_ZXING),,hw/decoder_zxing.c),$(LIB_SRC))
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNITS    := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
UNIT_FILES := $(notdir $(wildcard systemd/*.service systemd/*.timer))
LANGS    := $(wildcard config/lang/*.lang)
OBJ       = $(1:%.c=$(BUILD)/obj/%.o)

.PHONY: units everything $(shell sed -n 's/^\([a-z0-9-]*\):.*##.*/\1/p' Makefile) # all that `make help` lists
all: $(BUILD)/qrgated $(BUILD)/qrgatectl $(BUILD)/qrgate-safe $(LANGS:config/%=$(BUILD)/%) ## build the daemon, the admin's tool and the stop helper

help: ## this list
	@awk -F':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

deps: ## install by apt what is missing (root or sudo)
	$(Q)tests/install-deps.sh

$(BUILD)/obj/%.o: %.c Makefile
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(CTL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/daemon/ctl/lang_english.o $(BUILD)/obj/tests/unit/test_lang.o: config/lang/en.lang
$(BUILD)/obj/daemon/ctl/completion.o: $(wildcard config/completion/*)
$(BUILD)/lang/%: config/lang/%
	$(Q)mkdir -p $(@D) && cp $< $@
# Loops over all pixels of all frames, or all modules of a code: -O3 lets the compiler work on sixteen at a time (half the instructions of an empty view).
FAST       := pyramid threshold search binarise motion grid fit_bend
$(FAST:%=$(BUILD)/obj/daemon/vision/%.o): ALL_CFLAGS += -O3
$(BUILD)/libqrgate.a: $(call OBJ,$(LIB_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(BUILD)/qrgated: $(call OBJ,$(DAE_SRC)) $(BUILD)/libqrgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/qrgatectl: $(call OBJ,$(CTL_SRC)) $(BUILD)/libqrgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lqrencode $(CTL_LIBS) $(LIBS)
$(BUILD)/qrgate-safe: $(call OBJ,$(SAFE_SRC)) $(BUILD)/libqrgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
RENDER_SRC := $(wildcard tests/bench/render*.c)
$(BUILD)/librender.a: $(call OBJ,$(RENDER_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libqrgate.a $(BUILD)/librender.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka -lqrencode $(LIBS)
$(BUILD)/publisher_driver: $(BUILD)/obj/tests/e2e/publisher_driver.o $(BUILD)/libqrgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
BENCHES  := $(patsubst tests/bench/%.c,$(BUILD)/%,$(wildcard $(addprefix tests/bench/,bench_*.c fill_*.c load_*.c)))
$(BUILD)/load_lane: $(filter-out %/main.o,$(call OBJ,$(DAE_SRC)))
# Other readers that the vision's bench compares, where they are installed; never required.
PEERS    := $(if $(SANITIZER),,$(foreach p,zxing opencv4,$(shell command -v $(CXX) >/dev/null && $(PKG_CONFIG) --exists $(p) 2>/dev/null && echo $(p))))
QUIRC    := $(if $(SANITIZER),,$(wildcard /usr/include/quirc.h))
WECHAT   := $(if $(filter opencv4,$(PEERS)),$(wildcard /usr/include/opencv4/opencv2/wechat_qrcode.hpp))
PEER_OBJ := $(patsubst %,$(BUILD)/obj/tests/bench/peer_%.o,$(PEERS:opencv4=opencv))
PEER_LIBS = $(if $(QUIRC),-lquirc) $(if $(filter zxing,$(PEERS)),$(shell $(PKG_CONFIG) --libs zxing)) \
            $(if $(filter opencv4,$(PEERS)),$(if $(WECHAT),-lopencv_wechat_qrcode) -lopencv_objdetect -lopencv_imgproc -lopencv_core)
# One installed since the last build counts at once.
PEER_LIST := $(BUILD)/obj/peers-$(subst $(eval ) ,-,$(strip none $(PEERS) $(if $(QUIRC),quirc)))
$(PEER_LIST):
	$(Q)mkdir -p $(@D) && rm -f $(BUILD)/obj/peers-* && touch $@
$(BUILD)/obj/tests/bench/peers.o: $(PEER_LIST)
$(BUILD)/obj/tests/bench/peers.o: CPPFLAGS += -DQRG_PEER_QUIRC=$(if $(QUIRC),1,0) -DQRG_PEER_ZXING=$(if $(filter zxing,$(PEERS)),1,0) \
                                              -DQRG_PEER_OPENCV=$(if $(filter opencv4,$(PEERS)),1,0)
$(BUILD)/obj/tests/bench/peer_%.o: tests/bench/peer_%.cpp Makefile
	$(call say,CXX,$<)
	$(Q)mkdir -p $(@D) && $(CXX) -std=c++17 -O2 -g -fPIE -I. $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(PEERS))) -MMD -MP -c -o $@ $<
$(BUILD)/bench_vision: $(addprefix $(BUILD)/obj/tests/bench/,bench_vision.o vision_parts.o peers.o) $(PEER_OBJ) $(BUILD)/librender.a $(BUILD)/libqrgate.a $(PEER_LIST)
	$(call say,LD,$@)
	$(Q)$(if $(PEERS),$(CXX),$(CC)) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) -lqrencode $(PEER_LIBS) $(LIBS)
$(filter-out %/bench_vision,$(BENCHES)): $(BUILD)/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libqrgate.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(BUILD)/libqrgate.a $(LIBS)
.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

# ---- what a stranger runs -------------------------------------------------------------------------------------------
demo: ## a morning at a gate, seen by a real broker (DEMO_SECONDS=0: until Ctrl-C); installs what is missing for it
	$(Q)tests/install-deps.sh demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)/usr/bin/python3 tests/demo.py --build $(BUILD)

check: deps ## everything: lint, unit and end-to-end tests (also sanitized), the lab; ends with counts
	$(Q)/usr/bin/python3 tests/check.py

# ---- its parts ------------------------------------------------------------------------------------------------------
units: $(UNITS)
everything: all units $(BUILD)/publisher_driver $(BENCHES)
unit: units ## unit tests (cmocka)
	$(Q)set -e; for t in $(UNITS); do $$t; done
e2e: everything ## end-to-end tests: the real binary, a real broker (pytest)
	$(Q)QRG_BUILD=$(BUILD) /usr/bin/python3 -m pytest -q -x tests/e2e
lab: all ## the emulated machine with real kernel drivers (CASE=name for one)
	$(Q)tests/lab/run.sh $(CASE)
soak: all ## a night's worth of passages with faults, in the lab (SOAK_PASSAGES=100000)
	$(Q)LAB_SOAK_PASSAGES=$(or $(SOAK_PASSAGES),100000) LAB_SOAK_FAULT_S=60 LAB_TIMEOUT_S=172800 tests/lab/run.sh soak
soak-here: all ## 100,000 passages on 6 lanes with faults, without the lab's machine: an hour (PASSAGES=, SOAK_LANES=)
	$(Q)/usr/bin/python3 tests/bench/soak.py --build $(BUILD) --passages $(or $(PASSAGES),100000) --lanes $(or $(SOAK_LANES),6)
check-trixie: ## the whole of `make check` in a Debian 13 root, its lab with Debian 13's kernel (root; makes the root once)
	$(Q)tests/platforms/trixie.sh
check-arm64: ## for the Pi's processor: cross-built, unit and end-to-end tests and the lab, emulated (root; makes the root once)
	$(Q)tests/platforms/arm64.sh
lab-arm64: ## of check-arm64 the lab alone (CASE=name for one)
	$(Q)QRG_STEPS=lab LAB_CASES="$(CASE)" tests/platforms/arm64.sh
includes: ## the include order of the rooms
	$(Q)/usr/bin/python3 tests/includes.py
words: ## the words of qrgatectl against the tables of each language
	$(Q)/usr/bin/python3 tests/lang.py
cppcheck: ## static analysis
	$(Q)cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	  --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches --suppress=varFuncNullUB -I. $(DEFINES) hw daemon
unitfile: all ## systemd's own check of an installed unit
	$(Q)rm -rf $(BUILD)/stage && $(MAKE) --no-print-directory install DESTDIR=$(CURDIR)/$(BUILD)/stage >/dev/null
	$(Q)set -e; for unit in $(UNIT_FILES); do sed 's|/usr/local|$(CURDIR)/$(BUILD)/stage/usr/local|g' \
	  $(BUILD)/stage/usr/local/lib/systemd/system/$$unit > $(BUILD)/stage/$$(echo $$unit | sed 's|@|@lane1|'); done; \
	  systemd-analyze verify --man=no $(foreach u,$(UNIT_FILES),$(BUILD)/stage/$(subst @,@lane1,$u))
clang: ## build everything with clang, warnings are errors
	$(Q)$(MAKE) --no-print-directory CC=clang BUILD=build/clang everything
FUZZ_SECONDS ?= 600
fuzz: ## libFuzzer with ASan and UBSan on every parser (FUZZ_SECONDS=600, shared by the targets)
	$(Q)$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz SANITIZER=address,undefined,fuzzer-no-link build/fuzz/libqrgate.a
	$(Q)tests/fuzz/run.sh $(FUZZ_SECONDS) build/fuzz $(ALL_CFLAGS) build/fuzz/libqrgate.a $(LIBS)
EVENTS ?= 1000000 10000000
bench: all $(BENCHES) ## codes, register and journal, sizes, start-up, frame to relay; the vision beside other readers (QRG_PHOTOS=folder)
	$(Q)/usr/bin/python3 tests/bench/bench.py --build $(BUILD)
	$(Q)/usr/bin/python3 tests/bench/reading.py --build $(BUILD) --events $(EVENTS)
	$(Q)/usr/bin/python3 tests/bench/bench_vision.py --build $(BUILD)

broker-example: all ## config/mosquitto proved by a broker of its own: who may write and read what, the bridge
	$(Q)/usr/bin/python3 tests/broker_example.py --build $(BUILD)
LANES ?= 200
SECONDS ?= 60
load: $(BUILD)/load_lane ## LANES=200 lanes with a passage a second for SECONDS=60 against one broker of this machine
	$(Q)/usr/bin/python3 tests/bench/load.py --build $(BUILD) --lanes $(LANES) --seconds $(SECONDS)

schemas: $(BUILD)/qrgatectl ## config/schemas and qrgate-messages(7) from the table of topics and fields, daemon/mqtt/catalogue*.c
	$(Q)for name in $$($(BUILD)/qrgatectl schema | tail -n +2 | cut -f1 | grep -v '^-'); do \
	  $(BUILD)/qrgatectl schema $$name > config/schemas/$$name.json || exit 1; done
	$(Q)/usr/bin/python3 config/man/qrgate-messages.py $(BUILD)/qrgatectl > config/man/qrgate-messages.7

install: all ## into DESTDIR$(prefix); systemd unit, sysusers, tmpfiles, an example configuration
	install -d $(DESTDIR)$(prefix)/sbin $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/libexec $(DESTDIR)$(sysconfdir)/qrgate/trust $(DESTDIR)$(sysconfdir)/qrgate/operators \
	  $(DESTDIR)$(prefix)/lib/systemd/system $(DESTDIR)$(prefix)/lib/sysusers.d $(DESTDIR)$(prefix)/lib/tmpfiles.d \
	  $(DESTDIR)$(prefix)/share/qrgate/schemas $(DESTDIR)$(prefix)/share/qrgate/lang $(addprefix $(DESTDIR)$(prefix)/share/man/man,5 7 8)
	install -m 0755 $(BUILD)/qrgated $(DESTDIR)$(prefix)/sbin/
	install -m 0755 $(BUILD)/qrgatectl $(DESTDIR)$(prefix)/bin/
	install -m 0755 $(BUILD)/qrgate-safe $(DESTDIR)$(prefix)/libexec/
	for unit in $(UNIT_FILES); do sed 's|@prefix@|$(prefix)|g' systemd/$$unit > $(BUILD)/$$unit && \
	  install -m 0644 $(BUILD)/$$unit $(DESTDIR)$(prefix)/lib/systemd/system/ || exit 1; done
	install -m 0644 systemd/qrgate.sysusers $(DESTDIR)$(prefix)/lib/sysusers.d/qrgate.conf
	install -m 0644 systemd/qrgate.tmpfiles $(DESTDIR)$(prefix)/lib/tmpfiles.d/qrgate.conf
	install -m 0644 config/schemas/*.json $(DESTDIR)$(prefix)/share/qrgate/schemas/
	install -m 0644 config/lang/*.lang $(DESTDIR)$(prefix)/share/qrgate/lang/
	install -D -m 0644 config/completion/qrgatectl.bash $(DESTDIR)$(prefix)/share/bash-completion/completions/qrgatectl
	install -D -m 0644 config/completion/qrgatectl.zsh $(DESTDIR)$(prefix)/share/zsh/site-functions/_qrgatectl
	install -D -m 0644 config/completion/qrgatectl.fish $(DESTDIR)$(prefix)/share/fish/vendor_completions.d/qrgatectl.fish
	for page in config/man/*.[578]; do install -m 0644 $$page $(DESTDIR)$(prefix)/share/man/man$${page##*.}/ || exit 1; done
	install -m 0644 config/qrgate.conf $(DESTDIR)$(sysconfdir)/qrgate/qrgate.conf.example
	$(Q)test -n "$(DESTDIR)" || { systemd-sysusers; systemd-tmpfiles --create; systemctl daemon-reload || true; }
uninstall: ## removes the programs and the unit; configuration and journal stay
	rm -f $(DESTDIR)$(prefix)/sbin/qrgated $(DESTDIR)$(prefix)/bin/qrgatectl $(DESTDIR)$(prefix)/libexec/qrgate-safe \
	  $(addprefix $(DESTDIR)$(prefix)/lib/systemd/system/,$(UNIT_FILES)) $(DESTDIR)$(prefix)/lib/sysusers.d/qrgate.conf \
	  $(DESTDIR)$(prefix)/lib/tmpfiles.d/qrgate.conf $(foreach p,$(wildcard config/man/*.[578]),$(DESTDIR)$(prefix)/share/man/man$(lastword $(subst ., ,$p))/$(notdir $p))
clean: ## removes build/
	rm -rf build
