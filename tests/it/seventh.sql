create table racks (
  id text primary key,
  customer text references customers (id),
  revision bigint not null,
  enabled boolean not null,
  created_at bigint not null,
  created_by text,
  updated_at bigint not null,
  updated_by text,
  deleted_at bigint,
  name text not null,
  name_key text,
  units bigint not null,
  locked boolean not null,
  serviced_at bigint,
  watcher text references machines (id),
  checked_by text,
  tags text not null
);

create unique index racks_name_unique on racks (coalesce(customer, ''), name_key) where deleted_at is null;
