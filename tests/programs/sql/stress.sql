-- Create, insert, select: the bench's work.
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, stock INT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO item SELECT i, 'item ' || i, i * 1.25, i % 17 FROM n;
COMMIT;
CREATE INDEX item_stock ON item(stock);
SELECT count(*), sum(price), min(name), max(name) FROM item;
SELECT stock, count(*), round(avg(price), 3) FROM item GROUP BY stock ORDER BY stock LIMIT 5;
UPDATE item SET price = price * 2 WHERE stock = 3;
DELETE FROM item WHERE stock = 4;
SELECT id, name, price FROM item WHERE stock BETWEEN 3 AND 5 AND name LIKE '%9' ORDER BY price DESC LIMIT 5;
SELECT count(*), total(price) FROM item;
