# heapforensics - one non-recursive Makefile.
#
#   make            build/heapforensics and build/libheapforensics.{a,so}
#   make demo       install build dependencies if missing, build, show a report
#   make check      the same set-up, then all tests
#   make help       all targets
#
# Variables: DEVELOPER=1 (warnings are errors), SANITIZE=address,undefined, CC=clang, V=1
# Each variant (sanitizer, compiler) builds into a directory of its own.

VERSION   := 0.1.0
CC        ?= gcc
ifeq ($(origin CC),default)
CC        := gcc
endif
BUILD     ?= build
# GNU spells it small; either will do.
prefix    ?= /usr/local
PREFIX    ?= $(prefix)
LIBDIR    ?= $(PREFIX)/lib
ZSHDIR    ?= $(PREFIX)/share/zsh/site-functions
SOVERSION := 0
SONAME    := libheapforensics.so.$(SOVERSION)
DEVELOPER ?= 1
Q         := $(if $(V),,@)
say        = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

PKGS      := libdw libelf sqlite3 libzstd zlib liblzma liblz4 json-c libxxhash
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN      := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla
ifeq ($(DEVELOPER),1)
WARN      += -Werror
endif
OPT       ?= -O2
CFLAGS    ?= $(OPT) -g
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DHF_VERSION='"$(VERSION)"' \
              -I. -Iinclude -fPIC -pthread $(WARN) $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LDLIBS    := $(PKG_LIBS) -lstdc++ -lm -pthread
ifneq ($(SANITIZE),)
ALL_CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
LDFLAGS   += -fsanitize=$(SANITIZE)
endif

ifneq ($(FUZZ),)
ALL_CFLAGS += -fsanitize=fuzzer-no-link
endif

LIB_SRCS  := $(sort $(wildcard core/*/*.c heapwalk/*.c heapwalk/glibc/*.c heapwalk/pymalloc/*.c heapwalk/graph/*.c \
                heapwalk/typing/*.c heapwalk/views/*.c heapwalk/output/*.c heapwalk/query/*.c) \
                $(filter-out heapwalk/explore/screen%,$(wildcard heapwalk/explore/*.c)))
# The screen of `explore` needs ncursesw; NCURSES= builds without it.
NCURSES   ?= $(shell pkg-config --exists ncursesw && echo ncursesw)
ifeq ($(NCURSES),)
SCREEN_SRCS := heapwalk/explore/screen_none.c
else
SCREEN_SRCS := $(filter-out %/screen_none.c,$(wildcard heapwalk/explore/screen*.c))
SCREEN_LIBS := $(shell pkg-config --libs $(NCURSES))
$(SCREEN_SRCS:%.c=$(BUILD)/obj/%.o): ALL_CFLAGS += $(shell pkg-config --cflags-only-I $(NCURSES))
endif
CLI_SRCS  := $(sort $(wildcard heapwalk/cli/*.c gdbplugin/*.c) $(SCREEN_SRCS))
LIB_OBJS  := $(LIB_SRCS:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/html_assets.o
# The page's style sheet and scripts: arrays in the program, so that it needs no files.
HTML      := heapwalk/output/html
HTML_CSS  := $(addprefix $(HTML)/,page.css explore.css media.css)
HTML_JS   := $(addprefix $(HTML)/,util.js data.js tree.js layout.js icicle.js tables.js sizes.js \
               memory.js leaks.js findings.js page.js)
CLI_OBJS  := $(CLI_SRCS:%.c=$(BUILD)/obj/%.o)
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/tests/%)
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
# Fixtures: programs that know the truth about their own heap. Plain -g -O1, never sanitized.
FIX_C     := $(sort $(wildcard fixtures/*.c))
FIX_CXX   := $(sort $(wildcard fixtures/*.cc))
FIX_BINS  := $(FIX_C:fixtures/%.c=$(BUILD)/fixtures/%) $(FIX_CXX:fixtures/%.cc=$(BUILD)/fixtures/%)
HEADERS   := $(sort $(wildcard include/*.h core/*/*.h heapwalk/*.h heapwalk/*/*.h gdbplugin/*.h))

all: $(BUILD)/heapforensics $(BUILD)/libheapforensics.a $(BUILD)/libheapforensics.so

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/html_assets.c: $(HTML)/embed.sh $(HTML_CSS) $(HTML_JS)
	@mkdir -p $(@D)
	$(call say,EMBED,$@)
	$(Q){ echo '#include "heapwalk/output/html.h"' && \
	  sh $(HTML)/embed.sh html_css $(HTML_CSS) && \
	  sh $(HTML)/embed.sh html_js $(HTML_JS); } >$@

$(BUILD)/obj/html_assets.o: $(BUILD)/html_assets.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libheapforensics.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# The shared library gives away what heapforensics.h promises, and nothing else.
$(BUILD)/libheapforensics.map: include/heapforensics.h
	@mkdir -p $(@D)
	@{ echo 'HEAPFORENSICS_$(SOVERSION) {'; echo 'global:'; \
	   grep -o 'hf_[a-z_]*(' $< | sort -u | sed 's/($$/;/'; echo 'local: *;'; echo '};'; } >$@

$(BUILD)/libheapforensics.so: $(LIB_OBJS) $(BUILD)/libheapforensics.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(LDFLAGS) -Wl,-soname,$(SONAME) -Wl,--version-script=$(BUILD)/libheapforensics.map \
	  -o $@ $(LIB_OBJS) $(LDLIBS)

$(BUILD)/heapforensics: $(CLI_OBJS) $(BUILD)/libheapforensics.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(CLI_OBJS) $(BUILD)/libheapforensics.a $(SCREEN_LIBS) $(LDLIBS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libheapforensics.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

# Fuzz targets: clang's libFuzzer. The whole program is one of them, under another main.
$(BUILD)/obj/fuzz/main.o: heapwalk/cli/main.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Dmain=tool_main -Wno-missing-prototypes -MMD -MP -c $< -o $@

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/fuzz/main.o \
    $(filter-out %/main.o,$(CLI_OBJS)) $(BUILD)/libheapforensics.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LDLIBS) $(SCREEN_LIBS)

$(BUILD)/fixtures/%: fixtures/%.c
	@mkdir -p $(@D)
	$(call say,FIXTURE,$@)
	$(Q)gcc -std=gnu11 -D_GNU_SOURCE -g -O1 -fno-builtin-malloc -Wall -Wextra -Werror -I. -MMD -MP -MF $@.d \
	    -pthread -o $@ $< -lm -ldl

$(BUILD)/fixtures/%: fixtures/%.cc
	@mkdir -p $(@D)
	$(call say,FIXTURE,$@)
	$(Q)g++ -std=gnu++17 -g -O1 -fno-builtin-malloc -Wall -Wextra -Werror -I. -MMD -MP -MF $@.d -pthread -o $@ $<

fixtures: $(FIX_BINS)
units: $(UNIT_BINS)

# ---- set-up -----------------------------------------------------------------------------------

BUILD_DEPS := gcc g++ make pkg-config libdw-dev libelf-dev libsqlite3-dev libzstd-dev zlib1g-dev \
              liblzma-dev liblz4-dev libjson-c-dev libxxhash-dev libncurses-dev libcmocka-dev gdb
TEST_DEPS  := $(BUILD_DEPS) clang clang-format dwz libc++-dev libc++abi-dev valgrind elfutils \
              python3 python3-jsonschema sqlite3 lua5.3 lua5.4 libc6-dbg procps \
              tmux zsh fish groff-base zstd libbz2-dev libglib2.0-dev musl-tools libjemalloc2 \
              libtcmalloc-minimal4 libmimalloc2.0 lz4 xz-utils
GLIBC_DEPS := debootstrap qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
              gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross gcc-s390x-linux-gnu \
              libc6-dev-s390x-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross

# Install what is missing, if this machine is a Debian that lets us; else say what is.
define install_deps
	@missing=; for package in $(1); do \
	  dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	[ -z "$$missing" ] && exit 0; \
	command -v apt-get >/dev/null || { echo "please install:$$missing"; exit 0; }; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	echo "installing:$$missing"; \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq; \
	for package in $$missing; do \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
	    $$package >/dev/null || echo "could not install $$package: what needs it is skipped"; done
endef

deps:
	$(call install_deps,$(BUILD_DEPS))
deps-test:
	$(call install_deps,$(TEST_DEPS))

# make reads the libraries' flags when it starts: a second make sees what deps installed.
demo: deps
	@$(MAKE) --no-print-directory $(BUILD)/heapforensics build/fixtures/demo_server
	@sh fixtures/demo.sh $(BUILD)/heapforensics build/fixtures/demo_server

check: deps-test
	@$(MAKE) --no-print-directory all units fixtures
	@tests/run checks units e2e $(if $(T),-- $(T))

check-asan: deps-test
	@$(MAKE) --no-print-directory BUILD=build-asan SANITIZE=address,undefined OPT=-O1 \
	  build-asan/heapforensics units
	@$(MAKE) --no-print-directory fixtures
	@BUILD=build-asan HF_QUICK=1 ASAN_OPTIONS=detect_leaks=0 tests/run units e2e $(if $(T),-- $(T))

# What has threads (walk, scan, sums, types beside the graph, what an index is completed with, exports,
# diff's two analyses, explore, the writer of a capture), each run with more of them than processors.
# unit:graph is graph_shapes too. Left out for their time: those that try hundreds of cores (damaged,
# corrupt, core_files), and give up on one that takes long; and what has no threads but these.
TSAN_TESTS := unit:graph unit:walk_ahead unit:bigmem unit:ordered unit:btree unit:explore \
              e2e:export e2e:threads e2e:random_heap \
              e2e:mallinfo e2e:tcache16 e2e:leak_cases e2e:types_locals e2e:waste e2e:cxx e2e:diff \
              e2e:explore e2e:ci_recipe e2e:watch_killed
check-tsan: deps-test
	@$(MAKE) --no-print-directory BUILD=build-tsan SANITIZE=thread OPT=-O1 build-tsan/heapforensics units
	@$(MAKE) --no-print-directory fixtures
	@BUILD=build-tsan HF_QUICK=1 HF_THREADS=4 TSAN_OPTIONS=halt_on_error=1:exitcode=66 tests/run units e2e \
	  -- $(or $(T),$(TSAN_TESTS))

check-clang: deps-test
	@$(MAKE) --no-print-directory BUILD=build-clang CC=clang build-clang/heapforensics

print-version:
	@echo $(VERSION)
print-build-deps:
	@echo $(BUILD_DEPS)

# The programs that open our files: Debian's, and npm packages at the versions of the lock file.
CLIENT_DEPS := golang-go graphviz visualvm default-jdk-headless python3-prometheus-client \
               python3-junitparser libxml2-utils chromium

deps-clients: deps-test
	$(call install_deps,$(CLIENT_DEPS))
	@command -v npm >/dev/null || $(MAKE) --no-print-directory deps-npm

deps-npm:
	$(call install_deps,nodejs npm)

build/clients/ready: tests/clients/package.json tests/clients/package-lock.json
	@mkdir -p $(@D)
	@command -v npm >/dev/null || { echo 'npm is missing: what needs it is skipped'; exit 0; }; \
	  cp tests/clients/package.json tests/clients/package-lock.json $(@D) && cd $(@D) && \
	  npm ci --ignore-scripts --no-audit --no-fund --silent && \
	  chmod +x node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool && touch ready || \
	  echo 'npm could not install them: what needs them is skipped'

check-clients: deps-clients
	@$(MAKE) --no-print-directory all fixtures build/clients/ready
	@tests/run clients $(if $(T),-- $(T))

check-packaging: deps-test
	$(call install_deps,$(DEB_DEPS))
	@$(MAKE) --no-print-directory all fixtures
	@tests/run packaging $(if $(T),-- $(T))

check-glibc: deps-test
	$(call install_deps,$(GLIBC_DEPS))
	@$(MAKE) --no-print-directory all fixtures
	@tests/run glibc $(if $(T),-- $(T))

# The corpus replayed, a minute of fuzzing, and damaged cores given to a sanitized program.
fuzz-smoke: deps-test
	$(call install_deps,libclang-rt-$$(clang -dumpversion | cut -d. -f1)-dev)
	@$(MAKE) --no-print-directory BUILD=build-asan SANITIZE=address,undefined OPT=-O1 \
	  build-asan/heapforensics
	@$(MAKE) --no-print-directory fuzzers fixtures
	@BUILD=build-asan ASAN_OPTIONS=detect_leaks=0 tests/run fuzz $(if $(T),-- $(T))

fuzzers:
	@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang SANITIZE=address,undefined OPT=-O1 \
	  FUZZ=1 fuzz-bins
fuzz-bins: $(FUZZ_BINS)

bench: all
	@$(MAKE) --no-print-directory fixtures
	@sh tests/bench/bench.sh $(BUILD)/heapforensics build/fixtures
	@sh tests/bench/snapshot.sh $(BUILD)/heapforensics build/fixtures

format:
	@find core heapwalk gdbplugin include fixtures tests -name '*.[ch]' -o -name '*.cc' | \
	  xargs clang-format -i

# ---- installing ---------------------------------------------------------------------------------

INSTALL ?= install
# GDB sources the files of this folder when it starts (gdb --with-system-gdbinit-dir).
GDBINIT_DIR ?= /etc/gdb/gdbinit.d
COMMANDS = $(shell $(BUILD)/heapforensics --help 2>/dev/null | \
             awk '/^Commands/ {on = 1; next} /^$$/ {on = 0} on {print $$1}')

man: $(BUILD)/heapforensics
	@mkdir -p $(BUILD)/man
	@$(BUILD)/heapforensics help-man >$(BUILD)/man/heapforensics.1
	@for command in $(COMMANDS); do \
	  $(BUILD)/heapforensics help-man $$command >$(BUILD)/man/heapforensics-$$command.1; done

completion: $(BUILD)/heapforensics
	@mkdir -p $(BUILD)/completion
	@for shell in bash zsh fish; do \
	  $(BUILD)/heapforensics help-completion $$shell >$(BUILD)/completion/$$shell; done

# install-bin: the program and what belongs to it; install-lib: the shared library;
# install-dev: what programs are compiled with that use it.
install: install-bin install-lib install-dev

SHARE = $(DESTDIR)$(PREFIX)/share

install-bin: $(BUILD)/heapforensics man completion
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(SHARE)/doc/heapforensics \
	  $(SHARE)/bash-completion/completions $(SHARE)/fish/vendor_completions.d $(DESTDIR)$(ZSHDIR)
	$(INSTALL) -m 755 $(BUILD)/heapforensics $(DESTDIR)$(PREFIX)/bin/
	$(INSTALL) -m 644 $(BUILD)/man/*.1 $(SHARE)/man/man1/
	$(INSTALL) -m 644 README.md docs/schema.json $(SHARE)/doc/heapforensics/
	$(INSTALL) -m 644 $(BUILD)/completion/bash $(SHARE)/bash-completion/completions/heapforensics
	$(INSTALL) -m 644 $(BUILD)/completion/fish $(SHARE)/fish/vendor_completions.d/heapforensics.fish
	$(INSTALL) -m 644 $(BUILD)/completion/zsh $(DESTDIR)$(ZSHDIR)/_heapforensics
	$(INSTALL) -d $(SHARE)/heapforensics $(DESTDIR)$(GDBINIT_DIR)
	sed 's|:-heapforensics}|:-$(PREFIX)/bin/heapforensics}|' gdbplugin/heapforensics.gdb \
	  >$(SHARE)/heapforensics/heapforensics.gdb
	echo 'source $(PREFIX)/share/heapforensics/heapforensics.gdb' \
	  >$(DESTDIR)$(GDBINIT_DIR)/heapforensics.gdb
	chmod 644 $(SHARE)/heapforensics/heapforensics.gdb $(DESTDIR)$(GDBINIT_DIR)/heapforensics.gdb

install-lib: $(BUILD)/libheapforensics.so
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 644 $(BUILD)/libheapforensics.so $(DESTDIR)$(LIBDIR)/libheapforensics.so.$(VERSION)
	ln -sf libheapforensics.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)

install-dev: $(BUILD)/libheapforensics.a
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include
	$(INSTALL) -m 644 $(BUILD)/libheapforensics.a $(DESTDIR)$(LIBDIR)/
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libheapforensics.so
	$(INSTALL) -m 644 include/heapforensics.h $(DESTDIR)$(PREFIX)/include/
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' '' \
	  'Name: heapforensics' 'Description: post-mortem heap analysis of native programs' \
	  'Version: $(VERSION)' 'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lheapforensics' \
	  'Requires.private: $(PKGS)' 'Libs.private: -lstdc++ -lm -pthread' \
	  >$(DESTDIR)$(LIBDIR)/pkgconfig/heapforensics.pc

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/heapforensics $(DESTDIR)$(LIBDIR)/libheapforensics.* \
	  $(DESTDIR)$(LIBDIR)/pkgconfig/heapforensics.pc $(DESTDIR)$(PREFIX)/include/heapforensics.h \
	  $(SHARE)/man/man1/heapforensics.1 $(SHARE)/man/man1/heapforensics-*.1 \
	  $(SHARE)/bash-completion/completions/heapforensics \
	  $(SHARE)/fish/vendor_completions.d/heapforensics.fish $(DESTDIR)$(ZSHDIR)/_heapforensics \
	  $(DESTDIR)$(GDBINIT_DIR)/heapforensics.gdb
	rm -rf $(SHARE)/heapforensics $(SHARE)/doc/heapforensics

# ---- a Debian package ---------------------------------------------------------------------------

DEB_DEPS := build-essential debhelper dpkg-dev fakeroot lintian

# Of the files that git knows; of all but the built ones where there is no git.
deb: deps
	$(call install_deps,$(DEB_DEPS))
	@sh packaging/deb.sh $(VERSION) $(BUILD)/deb

clean:
	rm -rf build build-asan build-tsan build-clang build-fuzz

help:
	@echo 'make                build/heapforensics and the library'
	@echo 'make demo           install build dependencies, build, dump a program, show its report'
	@echo 'make check [T=NAME] the same set-up, then all tests; T picks some by name'
	@echo 'make check-asan     the tests under AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make check-tsan     what has threads under ThreadSanitizer (T=e2e: everything)'
	@echo 'make check-clang    build with clang, warnings are errors'
	@echo 'make check-clients  exports opened by the programs they are for'
	@echo 'make check-packaging  the Debian package: built, read by lintian, unpacked, run'
	@echo 'make check-glibc    other versions of glibc, in roots of their own'
	@echo 'make fuzz-smoke     a minute of fuzzing; mutated and cut cores under sanitizers'
	@echo 'make bench          speed by stage and heap shape'
	@echo 'make deb            Debian packages, in build/deb'
	@echo 'make format man completion install uninstall clean'

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all fixtures units deps deps-test deps-clients deps-npm demo check check-asan check-tsan check-clang check-clients \
        check-glibc check-packaging print-version print-build-deps fuzz-smoke fuzzers fuzz-bins bench format man \
        completion install install-bin install-lib install-dev uninstall deb clean help
.SECONDARY:
.DELETE_ON_ERROR:
