# SELinux is in the wanted mode, now and at boot; what only a reboot can do is named, not done.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings

selinux-mode-configured:
  selinux_mode.configured:
    - name: selinux
    - mode: {{ cfg.selinux.mode | json }}
    - require:
      - settings: settings-checked
