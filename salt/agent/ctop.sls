# The short name of rancher_salt.agent.ctop.
{% include 'rancher_salt/short.jinja' %}
