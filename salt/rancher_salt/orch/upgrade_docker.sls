# Docker is at the version of the settings on every agent: host by host out of service, upgraded,
# in service again; after the first failure it stops.

include:
  - rancher_salt.orch.sync

docker-upgraded:
  salt.runner:
    - name: fleet.upgrade_docker
    - batch: {{ salt['pillar.get']('fleet:batch', 1) | json }}
    - target: {{ salt['pillar.get']('fleet:target', '*') | json }}
    - require:
      - module: master-pillar-synced
