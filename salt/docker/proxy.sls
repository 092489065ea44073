# The short name of rancher_salt.docker.proxy.
{% include 'rancher_salt/short.jinja' %}
