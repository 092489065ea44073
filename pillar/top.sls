# Which minion gets which settings, by minion id. Never by grains: a minion writes its own.
# Secrets are in files of their own, named for no minion but those that need them.
# The ids are examples. Who is not named here has no role, and `state.apply` gives it nothing.
# On a master a group of etc/master does as well: `match: nodegroup`.
{{ saltenv }}:
  '*':
    - rancher
    - modules
  host1.example.com:
    - common
  server1.example.com:
    - server
    - server_database
  node1.example.com,node2.example.com:
    - match: list
    - agent
    - agent_api_key
