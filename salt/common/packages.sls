# The short name of rancher_salt.common.packages.
{% include 'rancher_salt/short.jinja' %}
