-- The stored things. Every table begins with the same base columns; times are milliseconds since 1970.
-- A unique value is unique among the live records of one customer, the platform's own being one more.

create table customers (
  id text primary key,
  customer text,
  revision bigint not null,
  enabled boolean not null,
  created_at bigint not null,
  created_by text,
  updated_at bigint not null,
  updated_by text,
  deleted_at bigint,
  name text not null,
  domain text not null,
  notes text
);

create unique index customers_domain_unique on customers (lower(domain)) where deleted_at is null;

create table users (
  id text primary key,
  customer text references customers (id),
  revision bigint not null,
  enabled boolean not null,
  created_at bigint not null,
  created_by text,
  updated_at bigint not null,
  updated_by text,
  deleted_at bigint,
  username text not null,
  email text,
  first_name text,
  last_name text,
  role text not null,
  password text not null
);

create unique index users_username_unique on users (coalesce(customer, ''), lower(username)) where deleted_at is null;
create unique index users_email_unique on users (coalesce(customer, ''), lower(email)) where deleted_at is null;

create table logins (
  id text primary key,
  customer text references customers (id),
  revision bigint not null,
  enabled boolean not null,
  created_at bigint not null,
  created_by text,
  updated_at bigint not null,
  updated_by text,
  deleted_at bigint,
  "user" text not null references users (id),
  login_time bigint not null,
  exp bigint not null,
  last_seen bigint not null,
  address text,
  agent text,
  token_hash text not null
);

create unique index logins_token_hash on logins (token_hash);
create index logins_user on logins ("user");

create table machines (
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
  description text,
  type text not null,
  ipv4 text,
  ipv6 text,
  mac text,
  netmask text,
  broadcast text,
  network text,
  gateway text,
  ssh_port bigint,
  ssh_user text,
  tags text not null
);

create unique index machines_name_unique on machines (coalesce(customer, ''), lower(name)) where deleted_at is null;

create table hosts (
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
  addresses text not null,
  variables text
);

create unique index hosts_name_unique on hosts (coalesce(customer, ''), lower(name)) where deleted_at is null;

create table host_machines (
  owner text not null references hosts (id),
  target text not null references machines (id),
  position bigint not null,
  primary key (owner, target)
);
create index host_machines_target on host_machines (target);

create table playbooks (
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
  description text,
  content text not null
);

create unique index playbooks_name_unique on playbooks (coalesce(customer, ''), lower(name)) where deleted_at is null;
