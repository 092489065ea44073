# A Docker host: every step in reading order. Order and dependencies come from requisites.
include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.common.hostname
  - rancher_salt.common.packages
  - rancher_salt.common.selinux
  - rancher_salt.common.data_disk
  - rancher_salt.common.swap
  - rancher_salt.common.conntrack
  - rancher_salt.common.thin_pool
  - rancher_salt.docker
