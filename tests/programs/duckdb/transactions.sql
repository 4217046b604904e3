CREATE TABLE account(id INTEGER PRIMARY KEY, balance BIGINT);
INSERT INTO account SELECT i, 1000 FROM range(5000) t(i);

BEGIN;
UPDATE account SET balance = balance - 10 WHERE id = 1;
UPDATE account SET balance = balance + 10 WHERE id = 2;
COMMIT;

BEGIN;
DELETE FROM account WHERE id > 10;
CREATE TABLE gone AS SELECT 1 AS one;
ROLLBACK;

SELECT count(*), sum(balance) FROM account;

SELECT * FROM gone;

CREATE SEQUENCE counter START 10;
SELECT nextval('counter'), nextval('counter'), currval('counter');

CREATE VIEW rich AS SELECT * FROM account WHERE balance > 1000;
CREATE MACRO doubled(x) AS x * 2;
SELECT id, doubled(balance) FROM rich;

ALTER TABLE account ADD COLUMN note VARCHAR DEFAULT 'none';
UPDATE account SET note = 'some' WHERE id % 100 = 0;
ALTER TABLE account RENAME balance TO amount;
SELECT note, count(*), sum(amount) FROM account GROUP BY note ORDER BY note;

PREPARE by_id AS SELECT id, amount, note FROM account WHERE id = $1;
EXECUTE by_id(200);
EXECUTE by_id(201);

DROP TABLE account;

EXPLAIN SELECT count(*) FROM range(10) t(i) WHERE i > 3;
