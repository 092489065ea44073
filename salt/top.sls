# Roles come from the pillar, never from grains: a minion writes its own grains.
base:
  '*':
    - common
  'rancher:roles:server':
    - match: pillar
    - server
  'rancher:roles:agent':
    - match: pillar
    - agent
