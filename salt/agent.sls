# A worker node: a Docker host that is an active member of its Rancher project.
include:
  - common
  - agent.ctop
  - agent.registered
