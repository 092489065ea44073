# Secret: the account of Rancher's database, for servers alone. Without one the server brings its
# own database. example_secrets.sls shows how to write it encrypted, docs/secrets.md how to encrypt.
rancher: {}
