-- Registries that ask for a user and a password before they give an image. The password is sealed: only the
-- server's master key opens it.

create table registries (
  id text primary key,
  customer text references customers (id),
  revision bigint not null,
  enabled boolean not null,
  created_at bigint not null,
  created_by text,
  updated_at bigint not null,
  updated_by text,
  deleted_at bigint,
  address text not null,
  address_key text,
  username text not null,
  password text not null,
  description text
);

create unique index registries_address_unique on registries (coalesce(customer, ''), address_key) where deleted_at is null;
