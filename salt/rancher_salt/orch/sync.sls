# The master itself holds this tree's current runners, modules and pillar module, those of the
# environment of the run. With base, or what a shop has only there would be deleted: `salt.runner`
# knows one environment only.

master-runners-synced:
  module.run:
    - saltutil.runner:
      - name: saltutil.sync_runners
      - saltenv: {{ ['base', saltenv] | unique | join(',') | json }}

master-modules-synced:
  module.run:
    - saltutil.runner:
      - name: saltutil.sync_modules
      - saltenv: {{ ['base', saltenv] | unique | join(',') | json }}

master-pillar-synced:
  module.run:
    - saltutil.runner:
      - name: saltutil.sync_pillar
      - saltenv: {{ ['base', saltenv] | unique | join(',') | json }}
