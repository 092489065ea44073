# Docker, alone or as a part of common.
include:
  - sync
  - settings
  - docker.repo
  - docker.installed
  - docker.configured
  - docker.running
