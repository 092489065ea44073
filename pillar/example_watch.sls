# For hosts whose fill is to be watched: events before Docker's pool or the connection tracking
# table is full, and facts for other formulas in the Salt mine. Copy, and name it in top.sls.
beacons:
  rancher_capacity:
    - pool_data: 85
    - pool_metadata: 85
    - conntrack: 80
    - interval: 300
    - disable_during_state_run: true

mine_functions:
  capacity.facts: []
