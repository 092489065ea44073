# This host is no member of Rancher any more: its agent, Rancher's other containers, volumes and
# the state directory are gone. Not part of any role: the runner `fleet` applies it.

include:
  - rancher_salt.sync
  - rancher_salt.settings
  - rancher_salt.docker.sdk

rancher-agent-absent:
  rancher_member.absent:
    - name: rancher-agent
    - require:
      - settings: settings-checked
      - packages: docker-sdk-installed
