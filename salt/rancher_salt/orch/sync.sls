# The master itself holds this tree's current runners, modules and pillar module.

master-runners-synced:
  salt.runner:
    - name: saltutil.sync_runners

master-modules-synced:
  salt.runner:
    - name: saltutil.sync_modules

master-pillar-synced:
  salt.runner:
    - name: saltutil.sync_pillar
