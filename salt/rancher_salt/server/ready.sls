# The Rancher server answers; when it cannot, the report holds the lines of its log that tell why.
{%- from 'rancher_salt/settings.jinja' import cfg with context %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.server.container

rancher-server-ready:
  rancher.server_ready:
    - name: rancher-server
    - port: {{ cfg.server.port | json }}
    - start: {{ cfg.server.start | json }}
    - timeout: {{ cfg.server.ready_timeout | json }}
    - require:
      - rancher: rancher-server-running
