# The short name of rancher_salt.docker.sdk.
{% include 'rancher_salt/short.jinja' %}
