#!/bin/sh
# What the first `common` does to the host, as plain commands: the physical limit.
set -eu
export DEBIAN_FRONTEND=noninteractive
note='# Written by a script.'
hostnamectl set-hostname node7.example.test || { echo node7.example.test > /etc/hostname; hostname node7.example.test; }
sed -i 's/^127\.0\.1\.1.*/127.0.1.1 node7.example.test node7/' /etc/hosts
apt-get -q update
apt-get -qy --no-install-recommends install gdisk parted util-linux xfsprogs e2fsprogs
printf '%s\noptions nf_conntrack hashsize=262144\n' "$note" > /etc/modprobe.d/zz-rancher-conntrack.conf
printf '%s\nnf_conntrack\n' "$note" > /etc/modules-load.d/rancher-conntrack.conf
{
  echo "$note"
  echo net.netfilter.nf_conntrack_max = 524288
  for pair in established=86400 close_wait=60 fin_wait=60 time_wait=60; do
    echo "net.netfilter.nf_conntrack_tcp_timeout_${pair%=*} = ${pair#*=}"
  done
} > /etc/sysctl.d/99-zz-rancher-conntrack.conf
sysctl -q --load=/etc/sysctl.d/99-zz-rancher-conntrack.conf
echo 262144 > /sys/module/nf_conntrack/parameters/hashsize
mkdir -p /etc/docker
printf '{\n  "log-driver": "json-file",\n  "storage-driver": "overlay2"\n}\n' > /etc/docker/daemon.json
getent group docker > /dev/null || groupadd --system docker
apt-get -qy --no-install-recommends install docker.io
apt-mark -q hold docker.io
systemctl -q enable docker
systemctl start docker
