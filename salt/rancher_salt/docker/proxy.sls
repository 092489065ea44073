# Docker's daemon pulls through the proxies of the settings. Before the package, which starts it.

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.docker.suitable

docker-proxy-present:
  docker_proxy.present:
    - name: docker
    - require:
      - settings: settings-checked
      - docker_daemon: docker-suitable
