# A Rancher server: a Docker host, the database if an administrator is given, the container,
# and the server that answers.
include:
  - common
  - docker.sdk
  - server.database
  - server.container
  - server.ready
