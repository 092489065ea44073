# Secret: the key of Rancher's API, for hosts that register themselves. Not needed where access
# control is off, nor by a host that is given its registration_url. Encrypted as in example_secrets.sls.
rancher: {}
