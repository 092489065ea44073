# Docker, alone or as a part of common.
include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.docker.suitable
  - rancher_salt.docker.repo
  - rancher_salt.docker.configured
  - rancher_salt.docker.proxy
  - rancher_salt.docker.installed
  - rancher_salt.docker.running
