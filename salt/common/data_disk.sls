# The short name of rancher_salt.common.data_disk.
{% include 'rancher_salt/short.jinja' %}
