# With an administrator's credentials in the settings, the external database, its account and the
# account's rights are there; without, nothing is looked at. Nothing is ever dropped.

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.docker.sdk

rancher-database-present:
  rancher_database.present:
    - name: rancher
    - require:
      - settings: settings-checked
      - packages: docker-sdk-installed
