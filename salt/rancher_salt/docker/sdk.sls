# Salt's own Python can speak to Docker and to MySQL. Where it can already, because the libraries
# were packaged or came along over salt-ssh, nothing is looked up and nothing installed.

include:
  - rancher_salt.sync
  - rancher_salt.settings

docker-sdk-installed:
  packages.importable:
    - libraries: {docker: 'docker==7.1.0', pymysql: 'PyMySQL==1.2.4'}
    - reload_modules: True
    - require:
      - settings: settings-checked
