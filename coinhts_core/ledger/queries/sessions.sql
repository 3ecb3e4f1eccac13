-- name: begin_session
-- Somebody has logged in.
INSERT INTO sessions (token_hash, role, begun_at, expires_at)
VALUES (%(token_hash)s, %(role)s, %(begun_at)s, %(expires_at)s);

-- name: find_session
-- The session one of these hashes belongs to, unless it is over.
SELECT
    token_hash,
    role,
    expires_at
FROM sessions
WHERE token_hash = any(%(token_hashes)s) AND expires_at > %(now)s;

-- name: end_session
-- Somebody has logged out.
DELETE FROM sessions
WHERE token_hash = %(token_hash)s;

-- name: end_expired_sessions
-- Those that are over.
DELETE FROM sessions
WHERE expires_at <= %(now)s;
