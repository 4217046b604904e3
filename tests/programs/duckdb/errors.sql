SELEC 1;

SELECT * FROM missing;

SELECT 1 + nothing;

CREATE TABLE strict(id INTEGER PRIMARY KEY, positive INTEGER CHECK (positive > 0), present VARCHAR NOT NULL);
INSERT INTO strict VALUES (1, 1, 'one');

INSERT INTO strict VALUES (1, 1, 'again');

INSERT INTO strict VALUES (2, -1, 'two');

INSERT INTO strict VALUES (3, 1, NULL);

INSERT INTO strict SELECT i, 1, 'x' FROM range(5, -5, -1) t(i);

SELECT count(*), min(present) FROM strict;

SELECT CAST('not a number' AS INTEGER);

SELECT TRY_CAST('not a number' AS INTEGER), 1 / 0, 1 // 0, 1 % 0;

SELECT 2147483647::INTEGER + 1::INTEGER;

SELECT sum(i) FROM (SELECT 170141183460469231731687303715884105727::HUGEINT AS i FROM range(3));

SELECT CAST(i AS TINYINT) FROM range(100000) t(i);

SELECT error('raised for ' || i) FROM range(3) t(i);

SELECT DATE '2024-13-01';

SELECT (SELECT i FROM range(3) t(i)) FROM range(2);

SELECT [1, 2, 3]::INTEGER[2];

SELECT regexp_matches('a', '(');

SELECT json_extract('{', '$.a');

SELECT strptime('x', '%Y');

SELECT enum_range(NULL::missing_type);

SELECT * FROM read_csv('no such file.csv');

SELECT * FROM read_parquet('no such file.parquet');

PRAGMA no_such_pragma;

SET no_such_setting = 1;

SELECT ln(0);

SELECT substr('abc', 1, 2, 3, 4);

BEGIN;
INSERT INTO strict VALUES (7, 7, 'seven');
INSERT INTO strict VALUES (7, 7, 'seven');

SELECT 'inside a broken transaction';

ROLLBACK;

SELECT count(*) FROM strict;
