#!yaml|gpg
# Every secret that there is, encrypted. Not assigned to any minion: take the part that a minion
# needs to server_database.sls or agent_api_key.sls, this first line included, with your own values.
rancher:
  server:
    database:
      host: db.example.com
      port: 3306
      name: cattle
      user: cattle
      password: |
        -----BEGIN PGP MESSAGE-----
        server:database:password
        -----END PGP MESSAGE-----
    database_admin:
      user: admin
      password: |
        -----BEGIN PGP MESSAGE-----
        server:database_admin:password
        -----END PGP MESSAGE-----
  agent:
    access_key: |
      -----BEGIN PGP MESSAGE-----
      agent:access_key
      -----END PGP MESSAGE-----
    secret_key: |
      -----BEGIN PGP MESSAGE-----
      agent:secret_key
      -----END PGP MESSAGE-----
    registration_url: |
      -----BEGIN PGP MESSAGE-----
      agent:registration_url
      -----END PGP MESSAGE-----
    # A proxy's user and password stand in its URL; docker:proxy likewise.
    proxy:
      http_proxy: |
        -----BEGIN PGP MESSAGE-----
        agent:proxy:http_proxy
        -----END PGP MESSAGE-----
      https_proxy: |
        -----BEGIN PGP MESSAGE-----
        agent:proxy:https_proxy
        -----END PGP MESSAGE-----
