-- Keys and passwords that runs use. The secret is sealed: only the server's master key opens it.

create table credentials (
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
  type text not null,
  username text,
  secret text not null,
  -- Never filled: a passphrase is used once, to open the key that came with it.
  passphrase text,
  public_key text,
  fingerprint text,
  vault_label text
);

create unique index credentials_name_unique on credentials (coalesce(customer, ''), name_key) where deleted_at is null;
