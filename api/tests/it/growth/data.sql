-- What an employer of {members} members has left behind after a year: {events} events that could still come again and what they counted
-- for, and of everything else in proportion. It starts from what the application itself has written of one member, Ada, whose rows are
-- multiplied. For PostgreSQL alone.

-- Keys are not checked and indexes are built in the end: what stands here agrees, and the database is made for one test.
SET LOCAL session_replication_role = replica;
SET LOCAL maintenance_work_mem = '256MB';
SET LOCAL jit = off;
UPDATE pg_index SET indisready = false
WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN ({large}));

-- The ids of a kind, in the order in which they were given.
CREATE FUNCTION pg_temp.made(kind text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    AS $$ SELECT ('0193' || kind || '-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid $$;

CREATE TEMPORARY TABLE seed ON COMMIT DROP AS
SELECT employer.id AS employer_id, ada.id AS ada_id, partner.id AS partner_id, program.id AS program_id, reward.id AS reward_id,
    campaign.id AS campaign_id, endpoint.id AS endpoint_id, meditation.id AS event_type_id,
    {now}::bigint AS now, 86400000000::bigint AS day,
    (SELECT array_agg(incentive.id ORDER BY incentive.key) FROM incentive WHERE incentive.key LIKE 'many-0%') AS incentives
FROM employer
JOIN member AS ada ON ada.employer_id = employer.id AND ada.external_id = 'ada'
JOIN partner ON partner.key = 'spa'
JOIN program ON program.employer_id = employer.id
JOIN reward ON reward.employer_id = employer.id
JOIN campaign ON campaign.employer_id = employer.id
JOIN webhook_endpoint AS endpoint ON endpoint.partner_id = partner.id
JOIN event_type AS meditation ON meditation.employer_id = employer.id AND meditation.key = 'meditation.completed';

INSERT INTO member (employer_id, id, external_id, email, attributes, created_at, updated_at, engaged_at)
SELECT employer_id, pg_temp.made('000b', i), 'm-' || i, 'm-' || i || '@example.org', '{}', now - 300 * day, now - 300 * day, now - 300 * day
FROM seed, generate_series(1, {members}) AS i;

INSERT INTO consent (employer_id, member_id, purpose, given, recorded_at)
SELECT employer_id, pg_temp.made('000b', i), 'EMAIL', true, now - 300 * day FROM seed, generate_series(1, {members}) AS i;

INSERT INTO consent_word (employer_id, member_id, number, purpose, given, recorded_at)
SELECT employer_id, pg_temp.made('000b', i), 1, 'EMAIL', true, now - 300 * day FROM seed, generate_series(1, {members}) AS i;

-- Spread over the week in which an event may still come; a five-hundredth of them is due to be forgotten.
INSERT INTO receipt (employer_id, source, event_id, body_digest, accepted_at, expires_at, member_id, event_type_id)
SELECT employer_id, 'default', 'r-' || i, '\x6dd2e6a1c7f09b3d5e8a4f7c2b1d0e9f6dd2e6a1c7f09b3d5e8a4f7c2b1d0e9f', now,
    CASE WHEN i % 500 = 0 THEN now - i ELSE now + 1 + i * 7 * day / {events} END, pg_temp.made('000b', i % {members} + 1), event_type_id
FROM seed, generate_series(1, {events}) AS i;

-- Of each member a tenth of its days with each of ten incentives; a five-hundredth of them is due to be forgotten.
INSERT INTO contribution (employer_id, member_id, incentive_id, source, event_id, version, day, time_zone, occurred_at, amount, steps, role)
SELECT employer_id, pg_temp.made('000b', i % {members} + 1), incentives[1 + i / {members} % 10], 'default', 'c-' || i, 1,
    CASE WHEN i % 500 = 0 THEN date '2026-09-01' ELSE date '2026-11-20' - (i * 38 / {events})::int END, 'UTC', now, '1', 0, 'COUNTS'
FROM seed, generate_series(1::bigint, {events}) AS i;

INSERT INTO progress (employer_id, member_id, incentive_id, state, updated_at)
SELECT seed.employer_id, pg_temp.made('000b', i % {members} + 1), incentives[1 + i / {members}], progress.state, now - i
FROM seed JOIN progress ON progress.member_id = ada_id AND progress.incentive_id = incentives[1],
    generate_series(0::bigint, {members} * 10 - 1) AS i;

INSERT INTO kept_event (employer_id, id, member_id, event_type_id, source, event_id, occurred_at, local_time, time_zone, properties, expires_at)
SELECT employer_id, pg_temp.made('0001', i), pg_temp.made('000b', i % {members} + 1), event_type_id, 'default', 'k-' || i, now - day,
    '2026-11-20T12:00:00', 'UTC', '{}', CASE WHEN i % 500 = 0 THEN now - i ELSE now + i END
FROM seed, generate_series(1, {some}) AS i;

-- Waiting, waiting for a further try, and held by a paused program.
INSERT INTO event (employer_id, id, member_id, event_type_id, source, event_id, occurred_at, received_at, local_time, time_zone, zone_origin,
    properties, only_incentive_id, attempts, due_at)
SELECT employer_id, pg_temp.made('0002', i), pg_temp.made('000b', i), event_type_id, 'default', 'q-' || i, now - day, now,
    '2026-11-20T12:00:00', 'UTC', 'EMPLOYER', '{}', CASE WHEN i > 300 THEN incentives[3] END, 1,
    CASE WHEN i <= 300 THEN now WHEN i <= 5000 THEN now + day ELSE 9223372036854775807 END
FROM seed, generate_series(1, 10000) AS i;

INSERT INTO dead_event (employer_id, id, member_id, event_type_id, source, event_id, occurred_at, received_at, local_time, time_zone,
    zone_origin, properties, attempts, reason, died_at)
SELECT employer_id, pg_temp.made('0003', i), pg_temp.made('000b', i), event_type_id, 'default', 'd-' || i, now - day, now,
    '2026-11-20T12:00:00', 'UTC', 'EMPLOYER', '{}', 5, 'broken', now - i
FROM seed, generate_series(1, 10000) AS i;

INSERT INTO retraction (employer_id, source, event_id, received_at, state, attempts, due_at, expires_at)
SELECT employer_id, 'default', 't-' || i, now - day, CASE WHEN i % 10 = 0 THEN 'WAITING' ELSE 'APPLIED' END, 0, now - day,
    CASE WHEN i % 500 = 0 THEN now - i ELSE now + i END
FROM seed, generate_series(1, {some}) AS i;

INSERT INTO refusal (employer_id, refused_on, event_type, code, count)
SELECT employer_id, date '2026-11-20' - day_number, 'type-' || type_number, 'TOO_LATE', 5
FROM seed, generate_series(0, 420) AS day_number, generate_series(1, 10) AS type_number;

INSERT INTO achievement (employer_id, id, member_id, incentive_id, incentive_version, program_id, period_key, ordinal, title, sensitive,
    earned_on, recorded_at, status, why, hidden)
SELECT seed.employer_id, pg_temp.made('0004', i), pg_temp.made('000b', i % {members} + 1), incentives[1 + i / {members}], 1, seed.program_id,
    'ever', 1, ada.title, false, date '2026-11-20' - ({achievements} - 1 - i)::int * 365 / {achievements}, now - ({achievements} - i), 'EARNED',
    ada.why, false
FROM seed JOIN achievement AS ada ON ada.member_id = ada_id AND ada.incentive_id = incentives[1] AND ada.ordinal = 1,
    generate_series(0::bigint, {achievements} - 1) AS i;

-- The partner's feed and the employer's own, behind what Ada has left in them.
INSERT INTO feed_entry (partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at)
SELECT head.partner_id, head.position + 1 + i, pg_temp.made('0005', i), seed.employer_id, 'ACHIEVEMENT_EARNED', pg_temp.made('0004', i),
    'somebody-' || i % {members}, now - ({achievements} - i)
FROM seed, feed_head AS head, generate_series(0::bigint, {achievements} - 1) AS i;
UPDATE feed_head SET position = position + {achievements};

-- What was delivered in the last month, and what is due.
INSERT INTO delivery (partner_id, position, endpoint_id, due_at, attempts, tries, delivered_at)
SELECT seed.partner_id, head.position - {some} + i, endpoint_id, now - i, 1, 1,
    CASE WHEN i > {some} - 300 THEN NULL WHEN i % 500 = 0 THEN now - 31 * day ELSE now - 29 * day * ({some} - i) / {some} END
FROM seed JOIN feed_head AS head ON head.partner_id = seed.partner_id, generate_series(1::bigint, {some}) AS i;

INSERT INTO delivery_attempt (partner_id, position, endpoint_id, number, attempted_at, milliseconds, status)
SELECT partner_id, position, endpoint_id, 1, due_at, 5, 200 FROM delivery WHERE attempts = 1;

INSERT INTO feed_told (employer_id, achievement_id, partner_id)
SELECT employer_id, pg_temp.made('0006', i), partner_id FROM seed, generate_series(1, {some}) AS i;

-- Ten lots of each member, of which the last has points left.
INSERT INTO points_account (employer_id, member_id, category, available, pending, debt, entries, due_at)
SELECT employer_id, pg_temp.made('000b', i), 'points', 10, 0, 0, 10, CASE WHEN i % 1000 = 0 THEN now - 1 WHEN i % 2 = 0 THEN now + i * day END
FROM seed, generate_series(1, {members}) AS i;

INSERT INTO points_lot (employer_id, id, member_id, category, amount, remaining, active_from, expires_at, is_active, incentive_id, cause)
SELECT employer_id, pg_temp.made('0007', i), pg_temp.made('000b', 1 + i % {members}), 'points', 10, CASE WHEN i >= 9 * {members} THEN 10 ELSE 0 END,
    now - 300 * day, CASE WHEN (1 + i % {members}) % 1000 = 0 THEN now - 1 ELSE 9223372036854775807 END, true, incentives[2], '\x00'
FROM seed, generate_series(0::bigint, 10 * {members} - 1) AS i;

INSERT INTO points_entry (employer_id, id, member_id, category, number, kind, amount, balance_after, recorded_at, recorded_on, incentive_id,
    sensitive)
SELECT employer_id, pg_temp.made('0008', i), pg_temp.made('000b', 1 + i % {members}), 'points', 1 + i / {members}, 'EARNED', 10, 10,
    now - (10 * {members} - i), date '2026-11-20' - (10 * {members} - 1 - i)::int / (10 * {members} / 365), incentives[2], false
FROM seed, generate_series(0::bigint, 10 * {members} - 1) AS i;

INSERT INTO points_posting (employer_id, entry_id, lot_id, amount)
SELECT employer_id, pg_temp.made('0008', i), pg_temp.made('0007', i), 10 FROM seed, generate_series(0::bigint, 10 * {members} - 1) AS i;

INSERT INTO earning (employer_id, member_id, incentive_id, category, cause, version, day, units, stated_at, factor, gross, is_rejected, updated_on)
SELECT employer_id, pg_temp.made('000b', 1 + i % {members}), incentives[2], 'points', int8send(i), 1, date '2026-11-20', '1', now, '1', 10,
    false, CASE WHEN i % 500 = 0 THEN date '2026-09-01' ELSE date '2026-11-20' END
FROM seed, generate_series(1::bigint, 10 * {members}) AS i;
UPDATE earning SET units = NULL WHERE updated_on = '2026-09-01';

INSERT INTO points_cap (employer_id, member_id, incentive_id, category, period_key, gross, granted)
SELECT employer_id, pg_temp.made('000b', i), incentives[2], 'points', '2026-11-19', 10, 10 FROM seed, generate_series(1, {members}) AS i;

INSERT INTO refund (employer_id, member_id, incentive_id, source, event_id, cause, day, occurred_at, remaining)
SELECT employer_id, pg_temp.made('000b', i), incentives[2], 'default', 'f-' || i, int8send(i),
    CASE WHEN i % 500 = 0 THEN date '2026-09-01' ELSE date '2026-11-20' END, now, '0'
FROM seed, generate_series(1::bigint, {members}) AS i;

INSERT INTO redemption (employer_id, id, member_id, reward_id, quantity, points_spent, stock_taken, category, status, requested_at, requested_on,
    expires_at, settled_at, sensitive)
SELECT employer_id, pg_temp.made('0009', i), pg_temp.made('000b', 1 + i % {members}), reward_id, 1, 0, 0, 'points',
    CASE WHEN i % 100 = 0 THEN 'HELD' ELSE 'FULFILLED' END, now - i, date '2026-11-20' - (({some} - i) * 365 / {some})::int, now + 30 * day,
    CASE WHEN i % 100 = 0 THEN NULL ELSE now END, false
FROM seed, generate_series(1::bigint, {some}) AS i;

INSERT INTO idempotency (employer_id, operation, key, body_hash, member_id, made_id, created_at)
SELECT employer_id, 'redeemReward', 'i-' || i, '\x00', pg_temp.made('000b', 1 + i % {members}), pg_temp.made('0009', i), now
FROM seed, generate_series(1::bigint, {some}) AS i;

-- Sent in the last year, and due.
INSERT INTO message (employer_id, id, campaign_id, member_id, cause, sensitive, triggered_at, expires_at, state, due_at, tries, slot_category,
    slot_on, token, settled_at)
SELECT employer_id, pg_temp.made('000c', i), campaign_id, pg_temp.made('000b', 1 + i % {members}), 'award:' || i, false, now - 2 * day,
    now + 2 * day, CASE WHEN due THEN 'PENDING' WHEN i % 1000 = 0 THEN 'UNKNOWN' ELSE 'SENT' END, CASE WHEN due THEN now - i END,
    CASE WHEN due THEN 0 ELSE 1 END, CASE WHEN due THEN NULL ELSE 'marketing' END,
    CASE WHEN due THEN NULL ELSE date '2026-11-20' - (({some} - i) * 365 / {some})::int END, '\x00',
    CASE WHEN due THEN NULL WHEN i % 500 = 0 THEN now - 400 * day ELSE now - ({some} - i) * 365 * day / {some} END
FROM seed, generate_series(1::bigint, {some}) AS i, LATERAL (SELECT i > {some} - 300 AS due) AS state;

INSERT INTO campaign_mark (employer_id, campaign_id, kind, member_id, marked_at, source, event_id)
SELECT employer_id, campaign_id, kind, pg_temp.made('000b', i), now - i, 'default', 'a-' || i
FROM seed, generate_series(1, {members}) AS i, unnest(ARRAY['MATCHED', 'CONVERTED']) AS kind;

INSERT INTO suppression (employer_id, address_digest, reason, recorded_at)
SELECT employer_id, sha256(int8send(i)), 'BOUNCE', now FROM seed, generate_series(1::bigint, {members}) AS i;

INSERT INTO audit_entry (employer_id, position, made_at, recorded_at, client_id, actor, action, subject, hash)
SELECT seed.employer_id, head.position + i, now, now, 'plaudit', 'EMPLOYER', 'updateProgram', 'wellbeing', '\x00'
FROM seed JOIN audit_head AS head ON head.employer_id = seed.employer_id, generate_series(1, {some}) AS i;
INSERT INTO audit_member (employer_id, position, place, member_id, salt, digest)
SELECT seed.employer_id, head.position + i, 0, pg_temp.made('000b', 1 + i % {members}), '\x00', '\x00'
FROM seed JOIN audit_head AS head ON head.employer_id = seed.employer_id, generate_series(1, {some}) AS i;
UPDATE audit_head SET position = position + {some} FROM seed WHERE audit_head.employer_id = seed.employer_id;
