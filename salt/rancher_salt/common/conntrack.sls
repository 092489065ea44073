# Connection tracking fits the host: module, table, buckets and TCP timeouts, now and at every boot.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings

conntrack-tuned:
  conntrack.tuned:
    - name: conntrack
    - max: {{ cfg.conntrack.max | json }}
    - ram_share: {{ cfg.conntrack.ram_share | json }}
    - tcp_timeout_established: {{ cfg.conntrack.tcp_timeout_established | json }}
    - tcp_timeout_close_wait: {{ cfg.conntrack.tcp_timeout_close_wait | json }}
    - tcp_timeout_fin_wait: {{ cfg.conntrack.tcp_timeout_fin_wait | json }}
    - tcp_timeout_time_wait: {{ cfg.conntrack.tcp_timeout_time_wait | json }}
    - require:
      - settings: settings-checked
