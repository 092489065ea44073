# The short name of rancher_salt.docker.installed.
{% include 'rancher_salt/short.jinja' %}
