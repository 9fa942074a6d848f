-- Passwords that somebody else made for an account: the first admin's of `vote up`, and those set by `vote admin`.
ALTER TABLE users ADD COLUMN first_password boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN users.first_password IS 'Whether the password was made for its owner, who is asked to choose another.';
GRANT UPDATE (first_password) ON users TO vote_web;
