ATTACH 'stored.duckdb' AS stored;
CREATE OR REPLACE TABLE stored.item AS
  SELECT i, 'item ' || i AS name, i * 0.25 AS price, i % 13 AS kind, TIMESTAMP '2024-01-01' + INTERVAL (i) MINUTE AS made
  FROM range(200000) t(i);
CREATE OR REPLACE TABLE stored.keyed(id INTEGER PRIMARY KEY, word VARCHAR UNIQUE);
INSERT INTO stored.keyed SELECT i, 'word ' || i FROM range(3000) t(i);
CHECKPOINT stored;
DETACH stored;

ATTACH 'stored.duckdb' AS stored;
SELECT count(*), sum(i), sum(price), min(name), max(made) FROM stored.item;

SELECT kind, count(*), max(name) FROM stored.item GROUP BY kind ORDER BY kind LIMIT 4;

SELECT DISTINCT compression FROM pragma_storage_info('stored.item') WHERE segment_type = 'VARCHAR' ORDER BY 1;

INSERT INTO stored.keyed VALUES (17, 'again');

INSERT INTO stored.keyed VALUES (4000, 'word 5');

SELECT * FROM stored.keyed WHERE word = 'word 2999';

INSERT INTO stored.keyed VALUES (5000, 'after the checkpoint');
DETACH stored;

ATTACH 'stored.duckdb' AS stored (READ_ONLY);
SELECT count(*), max(id) FROM stored.keyed;

INSERT INTO stored.keyed VALUES (6000, 'refused');
