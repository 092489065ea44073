# What orch.deploy would do, host by host; rendered instead of it with test=True. Nothing is changed
# but the master's own copies of the runners.

deploy-previewed:
  test.show_notification:
    - synced: {{ salt['saltutil.runner']('saltutil.sync_runners',
        saltenv=['base', saltenv] | unique | join(',')) | json }}
    - text: {{ salt['saltutil.runner']('fleet.preview', kwarg={
        'target': salt['pillar.get']('fleet:target', '*'),
        'batch': salt['pillar.get']('fleet:batch', 5)}) | join('\n') | json }}
