# The database knows the new password of the pillar, and every Rancher server runs with it: the
# account first, then one server after the other, each waited for.

include:
  - rancher_salt.orch.sync

database-account-updated:
  salt.runner:
    - name: fleet.apply
    - sls: rancher_salt.server.database
    - role: server
    - batch: 1
    - require:
      - module: master-pillar-synced

servers-restarted:
  salt.runner:
    - name: fleet.apply
    - sls: [rancher_salt.server.container, rancher_salt.server.ready]
    - role: server
    - batch: 1
    - require:
      - salt: database-account-updated
