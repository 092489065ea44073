# The short name of rancher_salt.agent.absent.
{% include 'rancher_salt/short.jinja' %}
