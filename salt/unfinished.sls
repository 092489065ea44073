# What an interrupted package manager left in the middle is completed before anything is installed:
# apt refuses everything until then.
include:
  - sync
  - settings

packages-finished:
  packages.finished:
    - require:
      - settings: settings-checked
