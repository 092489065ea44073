# ctop, a view of the containers for operators, is there when the settings name a source for it.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

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
