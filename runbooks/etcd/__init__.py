"""etcd of a cluster on machines: backups that are proven before they count."""
