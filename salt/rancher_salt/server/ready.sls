# The Rancher server answers; when it cannot, the report holds the lines of its log that tell why.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

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
