# The short name of rancher_salt.common.thin_pool.
{% include 'rancher_salt/short.jinja' %}
