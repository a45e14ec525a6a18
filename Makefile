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
PREFIX    ?= /usr/local
DEVELOPER ?= 1
Q         := $(if $(V),,@)
say        = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

PKGS      := libdw libelf sqlite3 libzstd zlib liblzma liblz4 json-c
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

WARN      := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla
ifeq ($(DEVELOPER),1)
WARN      += -Werror
endif
OPT       ?= -O2
CFLAGS    ?= $(OPT) -g
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DHF_VERSION='"$(VERSION)"' \
              -I. -Iinclude -fPIC -pthread $(WARN) $(PKG_CFLAGS) $(CFLAGS)
LDLIBS    := $(PKG_LIBS) -lstdc++ -lm -pthread
ifneq ($(SANITIZE),)
ALL_CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
LDFLAGS   += -fsanitize=$(SANITIZE)
endif

LIB_SRCS  := $(sort $(wildcard core/*/*.c heapwalk/*.c heapwalk/glibc/*.c heapwalk/graph/*.c \
                heapwalk/typing/*.c heapwalk/views/*.c heapwalk/output/*.c heapwalk/query/*.c))
CLI_SRCS  := $(sort $(wildcard heapwalk/cli/*.c gdbplugin/*.c))
LIB_OBJS  := $(LIB_SRCS:%.c=$(BUILD)/obj/%.o)
CLI_OBJS  := $(CLI_SRCS:%.c=$(BUILD)/obj/%.o)
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/tests/%)
BENCH_BINS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))
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

$(BUILD)/libheapforensics.a: $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/libheapforensics.so: $(LIB_OBJS)
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/heapforensics: $(CLI_OBJS) $(BUILD)/libheapforensics.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(CLI_OBJS) $(BUILD)/libheapforensics.a $(LDLIBS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libheapforensics.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libheapforensics.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

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

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all fixtures units
.SECONDARY:
.DELETE_ON_ERROR:
