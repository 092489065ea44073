# Every host converged, the servers answering, every agent an active host in Rancher: batch by
# batch, and after the first batch with a failure it stops.

include:
  - rancher_salt.orch.sync

common-applied:
  salt.runner:
    - name: fleet.apply
    - sls: rancher_salt.common
    - batch: {{ salt['pillar.get']('fleet:batch', 5) | json }}
    - target: {{ salt['pillar.get']('fleet:target', '*') | json }}
    - require:
      - module: master-pillar-synced

servers-applied:
  salt.runner:
    - name: fleet.apply
    - sls: rancher_salt.server
    - role: server
    - batch: 1
    - target: {{ salt['pillar.get']('fleet:target', '*') | json }}
    - require:
      - salt: common-applied

servers-ready:
  salt.runner:
    - name: fleet.ready
    - target: {{ salt['pillar.get']('fleet:target', '*') | json }}
    - require:
      - salt: servers-applied

agents-registered:
  salt.runner:
    - name: fleet.register
    - batch: {{ salt['pillar.get']('fleet:batch', 5) | json }}
    - target: {{ salt['pillar.get']('fleet:target', '*') | json }}
    - require:
      - salt: servers-ready
