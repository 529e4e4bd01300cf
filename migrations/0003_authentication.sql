-- One-time links that create the first administrator. Only the hash of the secret is kept.

create table setup_links (
  token_hash text primary key,
  created_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);

-- Failed sign-ins, counted per account and per network, so that no flood of other names or addresses
-- can push a counter out of memory. A bucket is a hash: names that were typed are not kept.

create table sign_in_attempts (
  bucket text primary key,
  failures bigint not null,
  blocked_until bigint not null,
  last_at bigint not null
);

create index sign_in_attempts_last_at on sign_in_attempts (last_at);
