CREATE TABLE customer(id INTEGER PRIMARY KEY, name VARCHAR, region VARCHAR);
CREATE TABLE sale(id BIGINT, customer INTEGER, amount DECIMAL(12, 2), day DATE);
INSERT INTO customer SELECT i, 'customer ' || i, ['north', 'east', 'south', 'west'][1 + i % 4] FROM range(1000) t(i);
INSERT INTO sale SELECT i, i * 7919 % 1000, (i * 104729 % 100000) / 100, DATE '2024-01-01' + CAST(i % 366 AS INTEGER)
  FROM range(100000) t(i);
SELECT count(*), sum(amount), min(day), max(day), count(DISTINCT customer) FROM sale;

SELECT region, count(*), sum(amount), min(amount), max(amount), avg(amount)::DECIMAL(18, 6)
  FROM sale JOIN customer ON customer.id = sale.customer GROUP BY region ORDER BY region;

SELECT c.name, s.total FROM customer c
  JOIN (SELECT customer, sum(amount) total FROM sale GROUP BY customer) s ON s.customer = c.id
  ORDER BY total DESC, name LIMIT 5;

SELECT count(*) FROM customer c LEFT JOIN sale s ON s.customer = c.id AND s.amount > 999.5 WHERE s.id IS NULL;

SELECT a.region, count(*) FROM customer a, customer b WHERE a.id < b.id AND a.region = b.region AND b.id < 200
  GROUP BY a.region ORDER BY 1;

SELECT id, amount FROM sale WHERE EXISTS (SELECT 1 FROM customer c WHERE c.id = sale.customer AND c.name LIKE '%99')
  ORDER BY amount DESC, id LIMIT 4;

SELECT day, total, rank() OVER (ORDER BY total DESC, day) AS place,
    sum(total) OVER (ORDER BY day ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS three_days,
    lag(total) OVER (ORDER BY day), first_value(day) OVER (PARTITION BY month(day) ORDER BY total DESC, day)
  FROM (SELECT day, sum(amount) total FROM sale GROUP BY day) ORDER BY place LIMIT 6;

SELECT * FROM (SELECT region, quarter(day) q, amount FROM sale JOIN customer ON customer.id = customer)
  PIVOT (sum(amount) FOR q IN (1, 2, 3, 4)) ORDER BY region;

SELECT s.id, p.price FROM (SELECT id, amount FROM sale WHERE id < 5) s
  ASOF JOIN (SELECT i * 100 AS start, 'price ' || i AS price FROM range(20) t(i)) p ON s.amount >= p.start ORDER BY s.id;

WITH RECURSIVE fibonacci(n, a, b) AS (SELECT 1, 0::HUGEINT, 1::HUGEINT
  UNION ALL SELECT n + 1, b, a + b FROM fibonacci WHERE n < 150)
  SELECT n, a FROM fibonacci WHERE n % 50 = 0 ORDER BY n;

SELECT region, grouping(region), count(*) FROM customer GROUP BY ROLLUP (region) ORDER BY ALL;

UPDATE sale SET amount = amount * 2 WHERE id % 10 = 3;
DELETE FROM sale WHERE id % 5 = 1;
SELECT count(*), sum(amount), bit_xor(id), approx_count_distinct(id) BETWEEN 70000 AND 90000 FROM sale;

CREATE INDEX sale_day ON sale(day);
SELECT count(*) FROM sale WHERE day = DATE '2024-02-29';

SUMMARIZE SELECT id FROM sale WHERE id < 1000;

SELECT quantile_disc(amount, [0.1, 0.5, 0.9])::VARCHAR, mode(customer % 7), histogram(customer % 3)::VARCHAR,
    (list(id ORDER BY id)[1:4])::VARCHAR, string_agg(id::VARCHAR, ',' ORDER BY id DESC) FILTER (id < 20)
  FROM sale;

INSERT INTO customer VALUES (1, 'again', 'up') ON CONFLICT (id) DO UPDATE SET name = excluded.name || '!';
SELECT * FROM customer WHERE id = 1;
