alter table users add column last_login bigint;
update users set last_login = (select max(login_time) from logins where logins."user" = users.id);
