-- Links with which people set a new password: one for each at most, so that a new link ends the one before.
-- Only the hash of the secret is kept. Times are milliseconds since 1970.

create table reset_links (
  person text primary key references users (id) on delete cascade,
  token_hash text not null,
  expires_at bigint not null
);

create unique index reset_links_token_hash on reset_links (token_hash);
