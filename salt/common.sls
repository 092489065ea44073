# A Docker host: every step in reading order. Order and dependencies come from requisites.
include:
  - sync
  - settings
  - common.hostname
  - common.packages
  - common.selinux
  - common.data_disk
  - common.swap
  - common.conntrack
  - common.thin_pool
  - docker
