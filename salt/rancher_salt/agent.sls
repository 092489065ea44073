# A worker node: a Docker host that is an active member of its Rancher project.
include:
  - rancher_salt.common
  - rancher_salt.agent.ctop
  - rancher_salt.agent.registered
