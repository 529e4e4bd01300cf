-- What provisioning knows of machines: groups within groups, the keys of SSH servers, and facts.
-- Times are milliseconds since 1970.

create table host_groups (
  owner text not null references hosts (id),
  target text not null references hosts (id),
  position bigint not null,
  primary key (owner, target)
);
create index host_groups_target on host_groups (target);

create table host_keys (
  id text primary key,
  customer text references customers (id) on delete cascade,
  -- Whose it is: a machine's, or that of whoever answers at an address.
  machine text references machines (id) on delete cascade,
  address text,
  port bigint,
  -- Its name in known_hosts.
  alias text not null,
  algorithm text not null,
  -- As in known_hosts: base64.
  public_key text not null,
  fingerprint text not null,
  state text not null,
  first_seen_at bigint not null,
  last_seen_at bigint not null,
  decided_by text,
  decided_by_name text,
  decided_at bigint
);
create unique index host_keys_alias on host_keys (alias, public_key);
create index host_keys_machine on host_keys (machine);
create index host_keys_customer on host_keys (customer);

create table machine_facts (
  machine text primary key references machines (id) on delete cascade,
  run text not null,
  gathered_at bigint not null,
  -- A JSON object of at most 256 KiB.
  facts text not null
);
