# A Rancher server: a Docker host, the database if an administrator is given, the container,
# and the server that answers.
include:
  - rancher_salt.common
  - rancher_salt.docker.sdk
  - rancher_salt.server.database
  - rancher_salt.server.container
  - rancher_salt.server.ready
