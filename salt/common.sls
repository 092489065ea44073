# The short name of rancher_salt.common.
{% include 'rancher_salt/short.jinja' %}
