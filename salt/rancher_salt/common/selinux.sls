# SELinux is in the wanted mode, now and at boot; what only a reboot can do is named, not done.
{%- from 'rancher_salt/settings.jinja' import cfg with context %}

include:
  - rancher_salt.sync
  - rancher_salt.settings

selinux-mode-configured:
  selinux_mode.configured:
    - name: selinux
    - mode: {{ cfg.selinux.mode | json }}
    - require:
      - settings: settings-checked
