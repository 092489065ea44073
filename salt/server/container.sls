# The image of the Rancher server is here and its container runs with the present settings, its
# data outside of it. The database's password is read by the state, never rendered here.
{%- from 'settings.jinja' import cfg with context %}

include:
  - sync
  - settings
  - common.data_disk
  - docker
  - docker.sdk

rancher-server-running:
  rancher.server_running:
    - name: rancher-server
    - image: {{ cfg.server.image | json }}
    - port: {{ cfg.server.port | json }}
    - start: {{ cfg.server.start | json }}
    - data_directory: {{ cfg.server.data_directory | json }}
    - require:
      - settings: settings-checked
      - datadisk: data-disk-mounted
      - docker_daemon: docker-daemon-running
      - packages: docker-sdk-installed
