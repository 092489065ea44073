# SELinux is in the wanted mode, now and at boot; what only a reboot can do is named, not done.
{%- from 'settings.jinja' import cfg with context %}

include:
  - sync
  - settings

selinux-mode-configured:
  selinux_mode.configured:
    - name: selinux
    - mode: {{ cfg.selinux.mode | json }}
    - require:
      - settings: settings-checked
