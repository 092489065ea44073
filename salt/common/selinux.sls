# The short name of rancher_salt.common.selinux.
{% include 'rancher_salt/short.jinja' %}
