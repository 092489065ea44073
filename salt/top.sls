# Only minions whose pillar lists roles get anything, in whatever environment this file is served.
# Roles come from the pillar, never from grains: a minion writes its own grains.
{{ saltenv }}:
  'rancher:roles:*':
    - match: pillar
    - rancher_salt.common
  'rancher:roles:server':
    - match: pillar
    - rancher_salt.server
  'rancher:roles:agent':
    - match: pillar
    - rancher_salt.agent
