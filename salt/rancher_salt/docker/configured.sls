# /etc/docker/daemon.json holds the storage driver and the settings, checked; what an older
# Docker left behind and would break the start is moved aside. Before the package: it starts Docker.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.docker.suitable

docker-leftovers-cleared:
  docker_leftovers.cleared:
    - name: docker
    - package: {{ cfg.docker.package | json }}
    - version: {{ cfg.docker.version | json }}
    - daemon: {{ cfg.docker.daemon | json }}
    - thin_pool: {{ cfg.thin_pool | json }}
    - require:
      - settings: settings-checked
      - docker_daemon: docker-suitable

docker-daemon-configured:
  docker_daemon.configured:
    - name: /etc/docker/daemon.json
    - package: {{ cfg.docker.package | json }}
    - version: {{ cfg.docker.version | json }}
    - daemon: {{ cfg.docker.daemon | json }}
    - thin_pool: {{ cfg.thin_pool | json }}
    - require:
      - docker_leftovers: docker-leftovers-cleared

docker-data-awaited:
  docker_drop_in.waiting:
    - name: docker-data
    - package: {{ cfg.docker.package | json }}
    - version: {{ cfg.docker.version | json }}
    - daemon: {{ cfg.docker.daemon | json }}
    - thin_pool: {{ cfg.thin_pool | json }}
    - data_disk: {{ cfg.data_disk | json }}
    - require:
      - docker_daemon: docker-daemon-configured
