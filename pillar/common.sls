# Docker hosts that are no part of a Rancher cluster. A minion without a role gets nothing.
rancher:
  roles: [common]
