# The hosts that run the Rancher server; its password is in server_database.sls.
rancher:
  roles: [server]
