-- Joins of every kind, indexes, subqueries, compound selects, views, common table expressions.
CREATE TABLE author(id INTEGER PRIMARY KEY, name TEXT UNIQUE, born INT);
CREATE TABLE book(id INTEGER PRIMARY KEY, author INT REFERENCES author(id), title TEXT, year INT);
CREATE TABLE sale(book INT, day INT, copies INT, PRIMARY KEY(book, day)) WITHOUT ROWID;
INSERT INTO author VALUES (1, 'Ada', 1815), (2, 'Grace', 1906), (3, 'Edsger', 1930), (4, 'Barbara', 1939);
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO book SELECT i, i % 3 + 1, 'book ' || i, 1900 + i % 50 FROM n;
INSERT INTO sale SELECT b.id, d.value, (b.id * d.value) % 23 FROM book b, (SELECT 1 AS value UNION SELECT 2 UNION SELECT 3) d;
CREATE INDEX book_year ON book(year, author) WHERE year > 1910;
CREATE VIEW total AS SELECT book, sum(copies) AS copies FROM sale GROUP BY book;
ANALYZE;
SELECT a.name, count(b.id), sum(t.copies) FROM author a LEFT JOIN book b ON b.author = a.id LEFT JOIN total t ON t.book = b.id GROUP BY a.id ORDER BY 1;
SELECT a.name, b.title FROM author a JOIN book b ON b.author = a.id WHERE b.year = 1920 ORDER BY b.id;
SELECT count(*) FROM book a JOIN book b USING (year) WHERE a.id < b.id;
SELECT a.name, b.title FROM book b RIGHT JOIN author a ON a.id = b.author AND b.id < 3 ORDER BY a.id;
SELECT count(*) FROM author a FULL JOIN sale s ON s.book = a.id;
SELECT name FROM author WHERE EXISTS (SELECT 1 FROM book WHERE author = author.id AND year = 1901) ORDER BY name;
SELECT title, (SELECT max(copies) FROM sale WHERE book = book.id) m FROM book WHERE id IN (SELECT book FROM sale WHERE copies = 22) ORDER BY m, id LIMIT 4;
SELECT year FROM book WHERE id < 40 INTERSECT SELECT year FROM book WHERE id > 180 EXCEPT SELECT 1935 ORDER BY 1 LIMIT 6;
WITH RECURSIVE tree(id, depth, path) AS (
  SELECT 1, 0, '1' UNION ALL SELECT b.id, depth + 1, path || '/' || b.id FROM tree JOIN book b ON b.id IN (tree.id * 2, tree.id * 2 + 1) WHERE depth < 3)
SELECT depth, count(*), min(path), max(path) FROM tree GROUP BY depth;
WITH RECURSIVE
  input(sud) AS (VALUES ('53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79')),
  digits(z, lp) AS (VALUES ('1', 1) UNION ALL SELECT CAST(lp + 1 AS TEXT), lp + 1 FROM digits WHERE lp < 9),
  x(s, ind) AS (
    SELECT sud, instr(sud, '.') FROM input
    UNION ALL
    SELECT substr(s, 1, ind - 1) || z || substr(s, ind + 1), instr(substr(s, 1, ind - 1) || z || substr(s, ind + 1), '.')
    FROM x, digits AS z
    WHERE ind > 0 AND NOT EXISTS (
      SELECT 1 FROM digits AS lp
      WHERE z.z = substr(s, ((ind - 1) / 9) * 9 + lp, 1)
        OR z.z = substr(s, ((ind - 1) % 9) + (lp - 1) * 9 + 1, 1)
        OR z.z = substr(s, (((ind - 1) / 3) % 3) * 3 + ((ind - 1) / 27) * 27 + lp + ((lp - 1) / 3) * 6, 1)))
SELECT s FROM x WHERE ind = 0;
EXPLAIN QUERY PLAN SELECT * FROM book WHERE year = 1920 AND author = 2;
