# The short name of rancher_salt.common.hostname.
{% include 'rancher_salt/short.jinja' %}
