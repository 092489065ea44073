# Docker's package repository is known, its packages checked against its key.
# Without one in the settings the host's own repositories are used.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

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
