# The short name of rancher_salt.common.conntrack.
{% include 'rancher_salt/short.jinja' %}
