# The Docker that is asked for fits this host; else no step of docker begins. Changes nothing.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings

docker-suitable:
  docker_daemon.suitable:
    - name: docker
    - package: {{ cfg.docker.package | json }}
    - version: {{ cfg.docker.version | json }}
    - daemon: {{ cfg.docker.daemon | json }}
    - thin_pool: {{ cfg.thin_pool | json }}
    - repository: {{ cfg.docker.repository | json }}
    - data_disk: {{ cfg.data_disk | json }}
    - require:
      - settings: settings-checked
