# tandem.  `make help` prints the targets.  Sources are found by wildcard: a new
# file in a room is built, listed in the room's table and checked.
#
# FLAVOUR  gcc (default), clang, asan, tsan, debug.  Objects of each lie in
#          build/FLAVOUR; programs of gcc in build, of others in build/FLAVOUR.
# SAN      sanitizer flags, apart from CFLAGS: a CFLAGS= on the command line
#          would take them away.
FLAVOUR ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
JOBS    ?= $(shell nproc)

MAKEFLAGS += -rR
# On all cores, unless told; several goals (clean all) go one after the other.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS))$(word 2,$(MAKECMDGOALS)),0)
MAKEFLAGS += -j$(JOBS)
endif
SHELL := /bin/sh
SAY = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,echo)
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# ---- flavours

CLANG := $(firstword $(foreach c,clang-14 clang,$(if $(shell command -v $c),$c)))
CLANG_FORMAT := $(firstword $(foreach c,clang-format-14 clang-format,\
                  $(if $(shell command -v $c),$c)))
CLANG_TIDY := $(firstword $(foreach c,clang-tidy-14 clang-tidy,\
                $(if $(shell command -v $c),$c)))

OPT := -O2
SAN :=
CC  := gcc
ifeq ($(FLAVOUR),clang)
CC  := $(or $(CLANG),clang)
else ifeq ($(FLAVOUR),asan)
OPT := -O1 -DDEBUG
SAN := -fsanitize=address,undefined -fno-sanitize-recover=all \
       -fno-omit-frame-pointer
else ifeq ($(FLAVOUR),tsan)
OPT := -O1 -DDEBUG
SAN := -fsanitize=thread -fno-omit-frame-pointer
else ifeq ($(FLAVOUR),debug)
OPT := -O0 -DDEBUG
else ifneq ($(FLAVOUR),gcc)
$(error FLAVOUR is gcc, clang, asan, tsan or debug, not "$(FLAVOUR)")
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wvla -Wno-overlength-strings -Werror
CFLAGS := $(OPT) -g
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(SAN) $(WARN) -ffp-contract=off -pthread

PKG := gsl sqlite3 libcjson zlib
PKG_CFLAGS := $(shell pkg-config --cflags $(PKG) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKG) 2>/dev/null)
CPPFLAGS = -Ibuild -I. $(PKG_CFLAGS)
# RDMA is built in where its header is; else `calibrate rdma` says it is absent.
VERBS := $(shell printf '\043include <infiniband/verbs.h>\n' | $(CC) -E -x c - \
           > /dev/null 2>&1 && echo -libverbs)
LDLIBS = $(PKG_LIBS) $(VERBS) -lcsv -lm

# ---- files

O := build/$(FLAVOUR)
BIN := $(if $(filter gcc,$(FLAVOUR)),build,$(O))

CORE := $(sort $(wildcard sim/*/*.c calibrate/*/*.c kernels/*.c))
DOORS := $(sort $(wildcard tools/*.c))
# Programs at the top of tests/ stand without cmocka.
BARE := $(sort $(wildcard tests/*.c))
UNITS := $(sort $(wildcard tests/unit/*/*.c))
OTHERS := $(sort $(wildcard tests/law/*.c tests/fuzz/*.c tests/hw/*.c \
            tests/accuracy/*.c))
TESTS := $(BARE) $(UNITS) $(OTHERS)
# A program is named after its file; where a unit test has that name already,
# the folder goes before it: tests/law/wire.c is law_wire.
stem = $(basename $(notdir $1))
named = $(if $(and $(filter $1,$(OTHERS)),$(filter $(call stem,$1),\
          $(call stem,$(BARE) $(UNITS)))),$(notdir $(patsubst %/,%,$(dir $1)))_)$(call stem,$1)
TEST_NAMES := $(foreach t,$(TESTS),$(call named,$t))
SOURCES := $(CORE) $(DOORS) $(TESTS)
ALL_FILES = $(shell find sim calibrate tools tests -name '*.[ch]')

twice = $(strip $(foreach n,$(sort $1),$(if $(word 2,$(filter $n,$1)),$n)))
ifneq ($(call twice,$(TEST_NAMES)),)
$(error two tests have one name: $(call twice,$(TEST_NAMES)))
endif

objects = $(patsubst %.c,$(O)/%.o,$1)

# ---- what is generated

# A room's table is its files: room NAME and the beginning of its files' names.
# build/gen/NAME.inc holds ROOM(stem) lines, sorted.
ROOMS :=
same = $(if $(subst |$1|,,|$2|),,yes)
define room
ROOMS += build/gen/$1.inc
$1_lines := $$(foreach f,$$(sort $$(wildcard $2*.c)),ROOM($$(patsubst $2%.c,%,$$f)))
build/gen/$1.inc: $$(if $$(call same,$$($1_lines),$$(strip $$(file <build/gen/$1.inc))),,FORCE)
	@mkdir -p $$(@D)
	@printf '%s\n' $$(foreach l,$$($1_lines),'$$l') > $$@
endef
$(eval $(call room,arrive,sim/load/arrive_))
$(eval $(call room,form,sim/cost/form_))
$(eval $(call room,cmd,tools/cmd_))
$(eval $(call room,rail,calibrate/rdma/rail_))
$(eval $(call room,grid,calibrate/gpu/grid_))

# Text as lines of C strings.
as_c = @mkdir -p $(@D) && sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' \
	-e 's/$$/\\n"/' $< > $@
build/gen/schema.inc: sim/store/schema.sql
	$(as_c)
build/gen/%.inc: sim/report/%
	$(as_c)

ASSETS := $(wildcard sim/report/*.css sim/report/*.js sim/report/*.html)
GEN = $(ROOMS) $(if $(wildcard sim/store/schema.sql),build/gen/schema.inc) \
      $(ASSETS:sim/report/%=build/gen/%.inc)

# Objects are made again when what the compiler is told changes.
told = $(strip $(CC) $(ALL_CFLAGS) $(CPPFLAGS))
$(O)/told: $(if $(call same,$(told),$(strip $(file <$(O)/told))),,FORCE)
	@mkdir -p $(@D)
	@$(if $(PKG_LIBS),,echo "libraries are missing: tools/install.sh run" >&2; exit 4)
	@printf '%s\n' '$(told)' > $@

share := $(PREFIX)/share/tandem
build/share: $(if $(call same,$(share),$(strip $(file <build/share))),,FORCE)
	@mkdir -p $(@D)
	@printf '%s\n' '$(share)' > $@

# So are those that a header which may come later would change.
build/verbs: $(if $(call same,$(VERBS),$(strip $(file <build/verbs))),,FORCE)
	@mkdir -p $(@D)
	@printf '%s\n' '$(VERBS)' > $@
$(O)/calibrate/rdma/verbs.o $(O)/calibrate/rdma/rail_verbs.o: build/verbs

# ---- programs

.PHONY: all default tandem tests
all default: tandem ## build/tandem (what a plain `make` does)
tandem: $(BIN)/tandem
tests: $(TEST_NAMES:%=$(BIN)/test/%) ## every test program

$(O)/%.o: %.c $(O)/told | $(GEN)
	@mkdir -p $(@D)
	@$(SAY) "  CC $<"
	@$(CC) $(ALL_CFLAGS) $(CPPFLAGS) $(DEFINE) -MMD -MP -c $< -o $@
$(call objects,$(DOORS)): build/share
$(call objects,$(DOORS)): DEFINE = -DTANDEM_SHARE='"$(share)"'

$(O)/core.a: $(call objects,$(CORE)) $(O)/core
	@rm -f $@
	@ar rcs $@ $(filter %.o,$^)
core_names = $(sort $(CORE))
$(O)/core: $(if $(call same,$(core_names),$(strip $(file <$(O)/core))),,FORCE)
	@mkdir -p $(@D)
	@echo $(core_names) > $@

$(BIN)/tandem: $(call objects,$(DOORS)) $(O)/core.a
	@mkdir -p $(@D)
	@$(SAY) "  LD $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(filter %.o %.a,$^) $(LDLIBS) -o $@

define test
$(BIN)/test/$(call named,$1): $(patsubst %.c,$(O)/%.o,$1) $(O)/core.a
	@mkdir -p $$(@D)
	@$$(SAY) "  LD $$@"
	@$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) $$(filter %.o %.a,$$^) $$(LDLIBS) \
		$(if $(filter $1,$(BARE)),,-lcmocka) -o $$@
endef
$(foreach t,$(TESTS),$(eval $(call test,$t)))

-include $(patsubst %.o,%.d,$(call objects,$(SOURCES)))

.PHONY: FORCE
FORCE:

# ---- doors

.PHONY: run check kernels bench bench-compare install uninstall help clean
run: ## installs what is missing, builds, and answers the seed question
	@tools/install.sh run
	@$(MAKE) --no-print-directory build/tandem
	@exec tools/run.sh

check: ## every test; the last line is `N passed, N failed, N skipped`
	@tools/install.sh check
	@exec tools/check/run_tests.sh

.PHONY: check-asan check-tsan law golden rdma
check-asan: ## unit, law and golden tests under ASan and UBSan
	@exec tools/check/run_tests.sh asan fuzz
check-tsan: ## the same under TSan
	@exec tools/check/run_tests.sh tsan
law: ## the law tests alone
	@exec tools/check/run_tests.sh law
golden: build/tandem ## writes tests/golden/*.out anew; read the diff
	@for t in tests/golden/*.sh; do UPDATE=1 tools/check/golden.sh $< $$t; done

rdma: build/tandem ## RDMA for real: two guests, shaped links, shared links
	@exec tests/rdma/check.sh slow

bench: build/tandem ## requests per CPU second, as JSON lines
	@exec build/tandem bench --quiet
bench-compare: build/tandem ## the replay cases against commit BASE (HEAD)
	@exec tools/bench_compare.sh $(or $(BASE),HEAD)

# One plug-in a target, made where its compiler is found; 77 says what is not.
kernels: ## build/gpu/*.so for each GPU compiler found; says what it skips
	@mkdir -p build/gpu; for t in gfx942 sm_90; do \
		tools/hip/build.sh $$t build/gpu/hip-$$t.so || [ $$? = 77 ] || exit 1; \
	done

# ---- gates

.PHONY: format format-check tidy headers symbols floors tour shape
format: ## rewrites every C file
	@$(or $(CLANG_FORMAT),clang-format-14) -i $(ALL_FILES)
format-check:
	@$(or $(CLANG_FORMAT),clang-format-14) --dry-run -Werror $(ALL_FILES)
tidy: $(patsubst %,build/tidy/%.ok,$(SOURCES)) ## clang-tidy, on what changed
build/tidy/%.ok: % .clang-tidy | $(GEN)
	@mkdir -p $(@D)
	@$(SAY) "  TIDY $<"
	@$(or $(CLANG_TIDY),clang-tidy-14) --quiet $< -- -std=gnu11 $(CPPFLAGS) \
		-DTANDEM_SHARE='""' 2> $@.err || { cat $@.err; exit 1; }
	@touch $@
headers: $(GEN) ## each header compiles alone, by gcc and clang
	@CPPFLAGS="$(CPPFLAGS) -std=gnu11" WARN="$(WARN)" \
		tools/check/headers.sh gcc $(or $(CLANG),clang)
symbols: $(call objects,$(CORE) $(DOORS)) ## each symbol carries its file's stem
	@tools/check/symbols.sh $(O)
floors: ## who includes whom
	@awk -f tools/check/floors.awk tools/check/floors.txt $(ALL_FILES)
tour: ## each path that a README names is there
	@tools/check/tour.sh
shape: ## lengths, depth, parameters
	@tools/check/shape.sh

# ---- install

build/tandem.1: build/tandem
	@help2man --no-info --name 'simulates LLM serving' -o $@ build/tandem
build/completion: tools/completion.bash $(ROOMS)
	@sed "s/@COMMANDS@/$$(sed 's/ROOM(\(.*\))/\1/' build/gen/cmd.inc \
		| tr '\n' ' ')/" $< > $@

MAN = $(DESTDIR)$(PREFIX)/share/man/man1/tandem.1
COMPLETION = $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tandem
install: build/tandem build/completion ## to PREFIX (/usr/local) under DESTDIR
	@command -v help2man > /dev/null || tools/install.sh man || true
	@if command -v help2man > /dev/null; then \
		$(MAKE) -s build/tandem.1 && install -D -m 644 build/tandem.1 $(MAN); \
	else echo "install: no man page: help2man is missing"; fi
	@install -D build/tandem $(DESTDIR)$(PREFIX)/bin/tandem
	@install -D -m 644 build/completion $(COMPLETION)
	@find models scenarios -type f -name '*.*' \
		-exec install -D -m 644 {} $(DESTDIR)$(share)/{} \;
	@find results -type f -name costs.sql \
		-exec install -D -m 644 {} $(DESTDIR)$(share)/{} \;
	@echo "installed $(DESTDIR)$(PREFIX)/bin/tandem, data in $(DESTDIR)$(share)"
uninstall: ## takes away what install brought
	@rm -f $(DESTDIR)$(PREFIX)/bin/tandem $(MAN) $(COMPLETION)
	@rm -rf $(DESTDIR)$(share)

clean: ## removes build/
	@rm -rf build

help: ## this
	@awk -F ':.*## ' '/^[a-z][a-z -]*:.*## / { printf "%-14s %s\n", $$1, $$2 } \
		' $(firstword $(MAKEFILE_LIST))
	@echo 'build/test/NAME one test program, from tests/**/NAME.c'
	@echo 'FLAVOUR=gcc|clang|asan|tsan|debug builds apart from each other'
