# Docker's package repository is known, its packages checked against its key.
# Without one in the settings the host's own repositories are used.
{%- from 'rancher_salt/settings.jinja' import cfg with context %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.docker.suitable

docker-repository-configured:
  docker_repository.configured:
    - name: docker
    - repository: {{ cfg.docker.repository | json }}
    - require:
      - settings: settings-checked
      - docker_daemon: docker-suitable
