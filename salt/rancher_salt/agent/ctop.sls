# ctop, a view of the containers for operators, is there when the settings name a source for it.
{%- from 'rancher_salt/settings.jinja' import cfg with context %}

include:
  - rancher_salt.sync
  - rancher_salt.settings

agent-ctop-installed:
  ctop.installed:
    - name: /usr/local/bin/ctop
    - source: {{ cfg.ctop.source | json }}
    - source_hash: {{ cfg.ctop.source_hash | json }}
    - version: {{ cfg.ctop.version | json }}
    - require:
      - settings: settings-checked
