SET threads = 4;
CREATE TABLE wide AS SELECT i, i % 1013 AS key, hash(i) AS mixed, 'text ' || (i * 31 % 9973) AS label
  FROM range(1000000) t(i);
SELECT count(*), sum(i), bit_xor(mixed), count(DISTINCT label), min(label), max(label) FROM wide;

SELECT key, count(*), sum(i), max(mixed) FROM wide GROUP BY key ORDER BY sum(i) DESC, key LIMIT 5;

SELECT count(*), sum(a.i + b.i) FROM wide a JOIN wide b ON a.key = b.key AND b.i < 2026 WHERE a.i % 3 = 0;

SELECT i, label FROM wide ORDER BY label DESC, mixed LIMIT 5;

SELECT sum(place) FROM (SELECT row_number() OVER (PARTITION BY key ORDER BY mixed) AS place FROM wide);

SELECT label, count(*) FROM wide WHERE regexp_matches(label, '9[0-4]+7$') GROUP BY label ORDER BY 2 DESC, 1 LIMIT 3;

SELECT error('raised by a thread') FROM wide WHERE key = 1012;

SELECT count(*) FROM wide;
