# Docker, alone or as a part of common.
include:
  - sync
  - settings
  - docker.suitable
  - docker.repo
  - docker.configured
  - docker.installed
  - docker.running
