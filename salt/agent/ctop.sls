# ctop, a view of the containers for operators, is there when the settings name a source for it.
{%- from 'settings.jinja' import cfg with context %}

include:
  - sync
  - settings

agent-ctop-installed:
  file.managed:
    - name: /usr/local/bin/ctop
    - source: {{ cfg.ctop.source | json }}
    - source_hash: {{ cfg.ctop.source_hash | json }}
    - mode: '0755'
    - onlyif:
      - fun: test.echo
        text: {{ cfg.ctop.source | json }}
    - require:
      - settings: settings-checked
