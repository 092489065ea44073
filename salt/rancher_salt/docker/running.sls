# Docker is enabled and runs with its present configuration; restarted only when that changed.
# What still runs for a role that was taken away is named.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.docker.configured
  - rancher_salt.docker.proxy
  - rancher_salt.docker.installed

docker-daemon-enabled:
  docker_daemon.enabled:
    - name: docker.service
    - require:
      - settings: settings-checked
      - docker_package: docker-package-installed

docker-daemon-running:
  docker_daemon.running:
    - name: docker.service
    - roles: {{ cfg.roles | json }}
    - require:
      - settings: settings-checked
    - watch:
      - docker_leftovers: docker-leftovers-cleared
      - docker_daemon: docker-daemon-configured
      - docker_proxy: docker-proxy-present
      - docker_package: docker-package-installed
