# Docker is installed at its exact version and held there; the group docker has its members.
# The pool and daemon.json come first: some packages start the daemon at once.
{%- if 'rancher-settings' not in opts %}{% include 'rancher_salt/settings.jinja' %}{% endif %}
{%- set cfg = opts['rancher-settings'].cfg %}

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.unfinished
  - rancher_salt.common.thin_pool
  - rancher_salt.docker.repo
  - rancher_salt.docker.configured
  - rancher_salt.docker.proxy

docker-group-present:
  docker_group.present:
    - name: docker
    - users: {{ cfg.docker.users | json }}
    - require:
      - settings: settings-checked
      - docker_daemon: docker-suitable

docker-package-installed:
  docker_package.installed:
    - name: {{ cfg.docker.package | json }}
    - version: {{ cfg.docker.version | json }}
    - leftovers: {{ cfg.tools.docker_leftovers | json }}
    - thin_pool: {{ cfg.thin_pool.device | json }}
    - require:
      - packages: packages-finished
      - thinpool: thin-pool-present
      - docker_repository: docker-repository-configured
      - docker_drop_in: docker-data-awaited
      - docker_proxy: docker-proxy-present
      - docker_group: docker-group-present

docker-package-held:
  docker_package.held:
    - name: {{ cfg.docker.package | json }}
    - version: {{ cfg.docker.version | json }}
    - tools: {{ cfg.tools.hold | json }}
    - require:
      - docker_package: docker-package-installed
