# The image of the Rancher server is here and its container runs with the present settings, its
# data outside of it. The database's password is read by the state, never rendered here.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.common.data_disk
  - rancher_salt.docker
  - rancher_salt.docker.sdk

rancher-server-data-awaited:
  docker_drop_in.waiting:
    - name: rancher-server-data
    - paths: {{ ([] if cfg.server.database else [cfg.server.data_directory]) | json }}
    - data_disk: {{ cfg.data_disk | json }}
    - require:
      - settings: settings-checked
      - datadisk: data-disk-mounted

rancher-server-running:
  rancher.server_running:
    - name: rancher-server
    - image: {{ cfg.server.image | json }}
    - port: {{ cfg.server.port | json }}
    - start: {{ cfg.server.start | json }}
    - data_directory: {{ cfg.server.data_directory | json }}
    - require:
      - settings: settings-checked
      - docker_drop_in: rancher-server-data-awaited
      - docker_daemon: docker-daemon-running
      - packages: docker-sdk-installed
