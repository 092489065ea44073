# The swap file of the settings exists, is in use and comes back at every boot; without a
# size an existing one is left alone.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.common.data_disk

swap-file-active:
  swapfile.active:
    - name: {{ cfg.swap.file | json }}
    - size: {{ cfg.swap.size | json }}
    - data_disk: {{ cfg.data_disk | json }}
    - require:
      - settings: settings-checked
      - datadisk: data-disk-mounted
