# The short name of rancher_salt.common.swap.
{% include 'rancher_salt/short.jinja' %}
