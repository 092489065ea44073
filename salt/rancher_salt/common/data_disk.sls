# The data disk of the settings has one partition with a file system that is mounted now
# and after a reboot; without a disk in the settings nothing is looked at.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.unfinished

data-disk-tools-installed:
  packages.installed:
    - pkgs: {{ cfg.tools.disk | json }}
    - require:
      - packages: packages-finished
      - settings: settings-checked

data-disk-mounted:
  datadisk.mounted:
    - name: {{ cfg.data_disk.mount_point | json }}
    - device: {{ cfg.data_disk.device | json }}
    - filesystem: {{ cfg.data_disk.filesystem | json }}
    - label: {{ cfg.data_disk.label | json }}
    - options: {{ cfg.data_disk.options | json }}
    - require:
      - settings: settings-checked
      - packages: data-disk-tools-installed
