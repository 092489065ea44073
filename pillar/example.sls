# Every setting with a value that makes sense somewhere. Not assigned to any minion: copy what you
# need into a file of your own and name that in top.sls.
rancher:
  roles: []
  hostname: node1.example.com
  packages:
    upgrade: false
    install: [chrony, curl]
  selinux:
    mode: permissive
  data_disk:
    device: /dev/disk/by-id/virtio-data
    filesystem: xfs
    label: data
    mount_point: /data
    options: [defaults, nofail]
  thin_pool:
    device: /dev/disk/by-id/virtio-pool
    extra_devices: [/dev/disk/by-id/virtio-more]
    volume_group: docker
    name: thinpool
    profile: docker-thinpool
    data_percent: 80
    metadata_percent: 1
    chunk_size: 512K
    autoextend_threshold: 80
    autoextend_percent: 20
  swap:
    file: /data/swap/swapfile
    size: 2G
  docker:
    package: docker-ce
    version: 17.06.2.ce-1.el7.centos
    repository:
      baseurl: https://mirrors.aliyun.com/docker-ce/linux/centos/7/$basearch/stable
      gpgkey: https://mirrors.aliyun.com/docker-ce/linux/centos/gpg
    daemon:
      log-driver: json-file
      log-opts: {max-size: 10m, max-file: '3'}
    users: [operator]
    proxy: null
  conntrack:
    max: null
    ram_share: 0.5
    tcp_timeout_established: 86400
    tcp_timeout_close_wait: 60
    tcp_timeout_fin_wait: 60
    tcp_timeout_time_wait: 60
  ctop:
    version: null
    source: null
    source_hash: null
  server:
    image: rancher/server:v1.6.30
    port: 8080
    start: true
    data_directory: /data/rancher/mysql
    database: null
    database_admin: null
    ready_timeout: 600
  agent:
    server_url: null
    project: null
    access_key: null
    secret_key: null
    ca_certificate: null
    registration_url: null
    image: null
    ip: null
    labels: {}
    proxy: null
    registered_timeout: 600
