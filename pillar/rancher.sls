# Settings of every host. All keys and their defaults: salt/rancher_salt/settings/defaults.yaml;
# a complete example: pillar/example.sls.
rancher: {}
