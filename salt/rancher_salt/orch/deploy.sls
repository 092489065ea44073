# Every host converged, the servers answering, every agent an active host in Rancher; with test=True
# the preview of that.
include:
  - rancher_salt.orch.{{ 'preview' if opts.test else 'rollout' }}
