# Which minion gets which settings, by minion id. Never by grains: a minion writes its own.
base:
  '*':
    - rancher
