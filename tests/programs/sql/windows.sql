-- Window functions, frames, filters and ordered aggregates.
CREATE TABLE m(day INT, place TEXT, value REAL);
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 59)
INSERT INTO m SELECT i / 3, char(65 + i % 3), (i * 37 % 101) / 4.0 FROM n;
SELECT day, place, value, row_number() OVER w, rank() OVER w, dense_rank() OVER w, ntile(4) OVER w FROM m WINDOW w AS (PARTITION BY place ORDER BY value) ORDER BY place, day LIMIT 12;
SELECT day, sum(value) OVER (ORDER BY day, place ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM m ORDER BY day, place LIMIT 8;
SELECT day, place, avg(value) OVER (PARTITION BY place ORDER BY day RANGE BETWEEN 3 PRECEDING AND 3 FOLLOWING EXCLUDE CURRENT ROW) FROM m WHERE day < 4 ORDER BY 2, 1;
SELECT day, place, lag(value, 1, -1) OVER w, lead(value) OVER w, first_value(value) OVER w, last_value(value) OVER w, nth_value(value, 2) OVER w FROM m WINDOW w AS (PARTITION BY day ORDER BY place) LIMIT 6;
SELECT place, percent_rank() OVER (ORDER BY value), cume_dist() OVER (ORDER BY value) FROM m WHERE day = 5;
SELECT place, count(*) FILTER (WHERE value > 10), group_concat(day, '-') FILTER (WHERE value > 20) FROM m GROUP BY place;
SELECT place, string_agg(value, ';' ORDER BY value DESC) FROM m WHERE day < 4 GROUP BY place;
SELECT day, sum(sum(value)) OVER (ORDER BY day GROUPS 1 PRECEDING) FROM m GROUP BY day HAVING sum(value) > 40 LIMIT 5;
