# The host carries the name of the settings, stored and running, and /etc/hosts and cloud-init
# agree with it; without a name it stays as it is.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings

hostname-configured:
  hostname.configured:
    - hostname: {{ cfg.hostname | json }}
    - require:
      - settings: settings-checked
