# The only entry point. `make` prints this help.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help

SALT_LINES := 3006.28 3008.3
VENV := .venv
# Guests, and everything that needs one Salt only, run on the long-term line.
PYTHON := $(VENV)/3006.28/bin/python
GPG_HOME := etc/gpgkeys
GPG_KEY := pillar of rancher-salt
GPG = gpg --homedir $(abspath $(GPG_HOME)) --batch --quiet
# Where the tests' own programs import from, as tests/conftest.py has it.
TEST_PATH := tests:tests/kits:salt/_modules:salt/_runners
APT := DEBIAN_FRONTEND=noninteractive apt-get
# Of these the demonstration needs no more.
DEMO_PACKAGES := python3-venv python3-dev gcc openssh-client qemu-system-x86 qemu-utils \
  mmdebstrap dpkg-dev e2fsprogs docker-registry busybox-static
# Some machines have one already, of another package.
KUBECTL := $(if $(shell command -v kubectl),,kubernetes-client)
PACKAGES := $(DEMO_PACKAGES) make git strace \
  xfsprogs btrfs-progs nilfs-tools cryptsetup-bin mdadm lvm2 parted gdisk dosfstools \
  dnf dnf-plugins-core rpm createrepo-c gpg gpg-agent systemd-container \
  $(KUBECTL) mariadb-server-core mariadb-client-core docker.io containerd iproute2

.PHONY: help setup packages demo-packages check lint unit render functional vm test prove demo plan apply bench docs clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

plan:  ## Dry run of `common` on this machine: what would change
	salt-call --retcode-passthrough state.apply common test=True

apply:  ## Converge this machine with `common`
	salt-call --retcode-passthrough state.apply common

demo: demo-packages $(PYTHON)  ## Throwaway guests: converge, again, reboot, again; then a server and a member
	PYTHONPATH=$(TEST_PATH) $(PYTHON) -m lab.demo

CHECKS := lint $(SALT_LINES:%=unit-%) $(SALT_LINES:%=render-%)

check: $(SALT_LINES:%=$(VENV)/%/ready)  ## Lint, unit and render tests on both Salt lines; no root, no network
	@$(MAKE) --no-print-directory -j4 --output-sync=target $(CHECKS)

test: setup  ## Everything, guests included; as root on Debian 12
	$(MAKE) check
	$(MAKE) -j2 beside-functional beside-vm

# Two at once: whole lines, each with its origin.
beside-%:
	@$(MAKE) --no-print-directory $* 2>&1 | sed -u 's/^/$*: /'

lint: $(VENV)/3008.3/ready
	$(VENV)/3008.3/bin/ruff check .
	$(VENV)/3008.3/bin/ruff format --check .
	$(VENV)/3008.3/bin/yamllint --strict .
	$(VENV)/3008.3/bin/salt-lint $$(git ls-files 'salt/*.sls' 'pillar/*.sls')

unit: $(SALT_LINES:%=$(VENV)/%/ready)  ## Unit tests on both Salt lines
	@$(MAKE) --no-print-directory -j2 $(SALT_LINES:%=unit-%)

# What does not touch Salt is tried on one line only; so are private files, tests/kits/one_line.py.
WITHOUT_SALT := lab stand_ins bench test_prove.py test_fake_rancher.py test_commit_message.py test_readme.py
unit-3008.3: UNIT = --another-line $(WITHOUT_SALT:%=--ignore=tests/unit/%)
# Each worker imports and collects everything once more, but a third of the time is waiting.
unit-3006.28: UNIT = -n 3 --dist worksteal

unit-%: $(VENV)/%/ready
	@echo "== unit tests on Salt $*"; $(VENV)/$*/bin/python -m pytest -q $(UNIT) tests/unit tests/test_tree.py

render: $(SALT_LINES:%=$(VENV)/%/ready)  ## Render and compile every SLS on both Salt lines
	@$(MAKE) --no-print-directory -j2 $(SALT_LINES:%=render-%)

render-%: $(VENV)/%/ready
	@echo "== render tests on Salt $*"; $(VENV)/$*/bin/python -m pytest -q tests/render

# A worker's own folder makes paths longer, and a socket's ends at 107 characters.
functional: $(SALT_LINES:%=$(VENV)/%/ready)  ## Real disks, packages and daemons on this machine; as root
	folder=$$(mktemp -d) && $(PYTHON) -m pytest -v -n 2 --dist loadfile --no-loadscope-reorder \
	  --basetemp=$$folder -m 'not long' tests/functional && rm -rf $$folder

vm: $(PYTHON)  ## Whole hosts in QEMU guests
	$(PYTHON) -m pytest -v -m 'not long' tests/vm

long: $(SALT_LINES:%=$(VENV)/%/ready)  ## What takes longest: day two of fleets, ways and steps in guests
	$(PYTHON) -m pytest -v -m long tests/functional tests/vm

ways: $(SALT_LINES:%=$(VENV)/%/ready)  ## Every way to run Salt, in guests of both lines, too; takes an hour
	$(PYTHON) -m pytest -v tests/functional/test_ways.py
	WAYS=all $(VENV)/3006.28/bin/python -m pytest -v tests/vm/test_ways.py
	WAYS=all $(VENV)/3008.3/bin/python -m pytest -v tests/vm/test_ways.py

bench: packages $(SALT_LINES:%=$(VENV)/%/ready) $(VENV)/ansible/ready  ## How fast, beside Ansible and pyinfra: docs/benchmark.md; 15 minutes, as root
	PYTHONPATH=$(TEST_PATH):. $(PYTHON) -m bench

prove: setup  ## Faults, lies, kills and hostile input, with tables; up to two hours, resumes
	PYTHONPATH=$(TEST_PATH) $(PYTHON) -W ignore -m prove --write

docs: $(PYTHON)  ## Rewrite the generated parts of README.md
	$(PYTHON) tests/kits/settings_table.py --write

setup: packages $(SALT_LINES:%=$(VENV)/%/ready)  ## Packages of Debian 12 and one virtualenv per Salt line

packages: NEEDED = $(PACKAGES)
demo-packages: NEEDED = $(DEMO_PACKAGES)
packages demo-packages:
	@missing=; for name in $(NEEDED); do \
	  dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$name"; done; \
	if [ -n "$$missing" ]; then $(APT) -q update && $(APT) -qy install --no-install-recommends $$missing; fi

$(PYTHON): $(VENV)/3006.28/ready

$(VENV)/%/ready: tests/requirements.txt
	python3 -m venv $(VENV)/$*
	$(VENV)/$*/bin/pip install --quiet salt==$* -r tests/requirements.txt
	touch $@

$(VENV)/ansible/ready: bench/requirements.txt
	python3 -m venv --clear $(VENV)/ansible
	$(VENV)/ansible/bin/pip install --quiet -r bench/requirements.txt
	touch $@

.PHONY: gpg encrypt ways
gpg:  ## A key for the pillar's secrets, in GPG_HOME (etc/gpgkeys; a master's: /etc/salt/gpgkeys)
	@command -v gpg >/dev/null || { echo "make gpg needs gpg: apt-get install gnupg, or dnf install gnupg2"; exit 1; }
	@install -d -m 700 $(GPG_HOME)
	@$(GPG) --list-secret-keys '$(GPG_KEY)' >/dev/null 2>&1 || $(GPG) --pinentry-mode loopback \
	  --passphrase '' --quick-generate-key '$(GPG_KEY)' default default never
	@$(GPG) --list-keys '$(GPG_KEY)'

encrypt:  ## Encrypt standard input for the pillar, with the key in GPG_HOME
	@$(GPG) --armor --trust-model always --encrypt --recipient '$(GPG_KEY)'

clean:  ## Remove virtualenvs, guests and caches
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache
