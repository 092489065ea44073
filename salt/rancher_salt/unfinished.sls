# What an interrupted package manager left in the middle is completed before anything is installed:
# apt refuses everything until then.
include:
  - rancher_salt.sync
  - rancher_salt.settings

packages-finished:
  packages.finished:
    - require:
      - settings: settings-checked
